"""Fetches files of the update framework as the gateway, no faster than it may and no slower than is bearable."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
from tuf.api.exceptions import DownloadError, DownloadHTTPError, SlowRetrievalError
from tuf.ngclient import FetcherInterface

_CHUNK_BYTES = 16 << 10


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a download may be, and how slow.

    Attributes:
        most_bytes_per_s: The gateway's line is not ours alone; None: as fast as it goes.
        least_bytes_per_s: Slower than this on average, after the grace, is an attack or a broken line.
        grace_s: How long a download may take whatever its speed.
    """

    most_bytes_per_s: float | None = None
    least_bytes_per_s: float = 512.0
    grace_s: float = 30.0


class HubFetcher(FetcherInterface):
    """Fetches over the client that the gateway speaks to its hub with: its key or certificate, its time-outs.

    Redirections are refused: a hub has no reason to send its gateways elsewhere.

    Args:
        client: Where the gateway's credentials are.
        pace: How fast.
        stopped: Whether to give up.
        clock: Monotonic, seconds.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        client: httpx.Client,
        pace: Pace | None = None,
        *,
        stopped: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._pace = pace or Pace()
        self._stopped = stopped
        self._clock = clock
        self._sleep = sleep

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            with self._client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as answer:
                if answer.status_code != httpx.codes.OK:
                    raise DownloadHTTPError(f"{url}: the hub answered {answer.status_code}", answer.status_code)
                yield from self._paced(url, answer)
        except httpx.TimeoutException as error:
            raise SlowRetrievalError(f"{url}: the hub was silent too long") from error
        except httpx.HTTPError as error:
            raise DownloadError(f"{url}: {error}") from error

    def _paced(self, url: str, answer: httpx.Response) -> Iterator[bytes]:
        pace, received, started_s = self._pace, 0, self._clock()
        for chunk in answer.iter_raw(_CHUNK_BYTES):
            received += len(chunk)
            took_s = self._clock() - started_s
            if self._stopped():
                raise DownloadError(f"{url}: given up, the agent stops")
            if took_s > pace.grace_s and received < pace.least_bytes_per_s * took_s:
                raise SlowRetrievalError(
                    f"{url}: {received} bytes in {took_s:.0f} s; less than {pace.least_bytes_per_s:.0f} a second"
                )
            if pace.most_bytes_per_s is not None:
                early_s = received / pace.most_bytes_per_s - took_s
                if early_s > 0:
                    self._sleep(early_s)
            yield chunk
