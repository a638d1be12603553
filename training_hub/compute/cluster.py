"""Work on a Dask cluster: a worker that is lost costs its tasks' time, no result."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

from distributed import Client, Future, KilledWorker
from distributed.security import Security

from training_hub.compute.errors import ComputeError
from training_hub.compute.single_thread import single_threaded
from training_hub.compute.window import in_order

Item = TypeVar("Item")
Result = TypeVar("Result")

_CONNECT_S = 30
_LEAST_AHEAD = 32
_AHEAD = 8


class DaskCompute:
    """A `Compute` on a cluster.

    Args:
        address: Of the scheduler.
        security: Certificates, where it speaks TLS.

    Raises:
        ComputeError: Nobody answers there.
    """

    def __init__(self, address: str, security: Security | None = None) -> None:
        self._address = address
        try:
            self._client = Client(address, security=security, timeout=_CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ComputeError(f"no Dask scheduler answers at {address} ({error}); start one, or set local") from error

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Apply a function to each item; see `Compute`."""
        ahead = max(_LEAST_AHEAD, _AHEAD * sum(self._client.nthreads().values()))
        # the function is sent with each task: it is a name of a module, some bytes
        submit = partial(self._submit, function)
        try:
            yield from in_order(submit, items, ahead=ahead)
        except KilledWorker as error:
            raise ComputeError(
                f"work killed several Dask workers, one after another ({error}); see their logs"
            ) from error

    def close(self) -> None:
        """Leave the cluster; it goes on."""
        self._client.close()

    def __enter__(self) -> Self:
        """The same."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the cluster."""
        self.close()

    def _submit(self, function: Callable[[Item], Result], item: Item) -> "Future[Any]":
        return self._client.submit(single_threaded, function, item, pure=False)
