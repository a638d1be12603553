"""Work in threads or processes of this machine."""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Literal, TypeVar

from threadpoolctl import threadpool_limits

from training_hub.compute.errors import ComputeError
from training_hub.compute.single_thread import limit_for_good
from training_hub.compute.window import in_order

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 4


class LocalCompute:
    """A `Compute` of this machine.

    Args:
        kind: Threads suffice where numpy does the work; processes where Python does.
        workers: How many; 0 for one per CPU.
    """

    def __init__(self, kind: Literal["threads", "processes"] = "threads", workers: int = 0) -> None:
        self._kind: Literal["threads", "processes"] = kind
        self._workers = workers or len(os.sched_getaffinity(0))

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Apply a function to each item; see `Compute`."""
        with self._executor() as executor:
            try:
                # thread limits hold for a whole process, so they are set around the pool, not in it
                with threadpool_limits(limits=1 if self._kind == "threads" else None):
                    yield from in_order(
                        lambda item: executor.submit(function, item), items, ahead=_AHEAD * self._workers
                    )
            except BrokenProcessPool as error:
                raise ComputeError(
                    "a process of the pool was killed; look for a lack of memory, and begin again"
                ) from error

    def _executor(self) -> Executor:
        if self._kind == "threads":
            return ThreadPoolExecutor(self._workers, thread_name_prefix="compute")
        # spawned, not forked: a fork would copy the locks of this process's threads
        return ProcessPoolExecutor(
            self._workers, mp_context=multiprocessing.get_context("spawn"), initializer=limit_for_good
        )
