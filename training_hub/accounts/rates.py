"""How often anybody may ask."""

import math
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from training_hub.config.accounts import AccountsSection


class Rates:
    """Counts requests per principal and logins per address, in this process."""

    def __init__(self, section: AccountsSection) -> None:
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._person = RateLimitItemPerMinute(section.person_per_minute)
        self._gateway = RateLimitItemPerMinute(section.gateway_per_minute)
        self._login = RateLimitItemPerMinute(section.logins_per_minute)

    def person(self, user_id: int) -> int:
        """Count a person's request; seconds to wait, 0 where it is within bounds."""
        return self._hit(self._person, f"person:{user_id}")

    def gateway(self, gateway_id: int) -> int:
        """Count a gateway's request; seconds to wait, 0 where it is within bounds."""
        return self._hit(self._gateway, f"gateway:{gateway_id}")

    def login(self, address: str) -> int:
        """Count an attempt to log in; seconds to wait, 0 where it is within bounds."""
        return self._hit(self._login, f"login:{address}")

    def _hit(self, limit: RateLimitItemPerMinute, key: str) -> int:
        if self._limiter.hit(limit, key):
            return 0
        return max(1, math.ceil(self._limiter.get_window_stats(limit, key).reset_time - time.time()))
