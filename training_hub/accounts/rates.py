"""How often anybody may ask."""

import math
import threading
import time
from collections.abc import Callable

from training_hub.config.accounts import AccountsSection

_WINDOW_S = 60.0
_SWEPT_FROM = 4096


class Window:
    """Counts per key in windows of a minute, each of which begins with a key's first count. Any thread.

    Args:
        most: In one window.

    >>> window = Window(2)
    >>> [window.wait_s("anna", now_s) for now_s in (0.0, 10.0, 20.0, 59.5, 60.0)]
    [0.0, 0.0, 40.0, 0.5, 0.0]
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._counts: dict[str, tuple[float, int]] = {}
        self._swept_at = _SWEPT_FROM
        self._lock = threading.Lock()

    def wait_s(self, key: str, now_s: float) -> float:
        """Count one; seconds until the window's end where it is one too many, else 0."""
        with self._lock:
            ends_s, count = self._counts.get(key, (now_s, 0))
            if ends_s <= now_s:
                ends_s, count = now_s + _WINDOW_S, 0
                if len(self._counts) >= self._swept_at:
                    self._sweep(now_s)
            self._counts[key] = (ends_s, count + 1)
            return 0.0 if count < self._most else ends_s - now_s

    def __len__(self) -> int:
        """Keys that are remembered."""
        return len(self._counts)

    def _sweep(self, now_s: float) -> None:
        self._counts = {key: value for key, value in self._counts.items() if value[0] > now_s}
        self._swept_at = max(_SWEPT_FROM, 2 * len(self._counts))


class Rates:
    """Counts requests per principal and logins per address, in this process; logins are counted by all besides.

    Args:
        section: How many a minute.
        now_s: Monotonic time.
    """

    def __init__(self, section: AccountsSection, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._person = Window(section.person_per_minute)
        self._gateway = Window(section.gateway_per_minute)
        self._login = Window(section.logins_per_minute)

    def person(self, user_id: int) -> int:
        """Count a person's request; seconds to wait, 0 where it is within bounds."""
        return self._hit(self._person, str(user_id))

    def gateway(self, gateway_id: int) -> int:
        """Count a gateway's request; seconds to wait, 0 where it is within bounds."""
        return self._hit(self._gateway, str(gateway_id))

    def login(self, address: str) -> int:
        """Count an attempt to log in; seconds to wait, 0 where it is within bounds."""
        return self._hit(self._login, address)

    def _hit(self, window: Window, key: str) -> int:
        return math.ceil(window.wait_s(key, self._now_s()))
