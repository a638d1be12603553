"""Answers that take long to make, kept until what they were made of has changed."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fastapi import Request

R = TypeVar("R")
_MOST_ANSWERS = 64


@dataclass(slots=True)
class _Kept:
    lock: threading.Lock = field(default_factory=threading.Lock)
    content: bytes | None = None
    revision: Any = None
    made_s: float = 0.0


class RevisedCache:
    """Keeps the last used answers; any thread. Who asks while one is made waits for it.

    Args:
        most_bytes: Of all answers together; the one that was asked for longest ago goes first.
        fresh_s: So long an answer holds where what changed may wait: in a busy plant it would be made at each request.
        most_age_s: It is made anew after this in any case, for what revisions do not tell.
        now_s: Monotonic time.
    """

    def __init__(self, *, most_bytes: int, fresh_s: float, most_age_s: float, now_s: Callable[[], float]) -> None:
        self._most_bytes, self._fresh_s, self._most_age_s, self._now_s = most_bytes, fresh_s, most_age_s, now_s
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()

    def get(self, key: Hashable, revision: R, make: Callable[[], bytes], may_wait: Callable[[R], bool]) -> bytes:
        """An answer made at this revision, at one whose difference from it may wait, or now.

        Args:
            key: Which answer.
            revision: Of what it is made of, read before `make` reads it. Revisions of a key are of one type.
            make: Makes it; what it raises is raised here and nothing is kept.
            may_wait: Whether what changed since another revision need not show at once.
        """
        with self._lock:
            kept = self._kept.setdefault(key, _Kept())
            self._kept.move_to_end(key)
        with kept.lock:
            now_s = self._now_s()
            age_s = now_s - kept.made_s
            if kept.content is None or not self._holds(kept, age_s, revision, may_wait):
                kept.made_s = now_s
                kept.content, kept.revision = None, None
                try:
                    kept.content = make()
                    kept.revision = revision
                finally:
                    self._trim()
            return kept.content

    def _holds(self, kept: _Kept, age_s: float, revision: R, may_wait: Callable[[R], bool]) -> bool:
        if kept.revision == revision:
            return age_s <= self._most_age_s
        return age_s <= self._fresh_s and may_wait(kept.revision)

    @property
    def size_bytes(self) -> int:
        """What is kept."""
        with self._lock:
            return self._size()

    def _size(self) -> int:
        return sum(len(kept.content or b"") for kept in self._kept.values())

    def _trim(self) -> None:
        with self._lock:
            for key in [key for key, kept in self._kept.items() if kept.content is None and not kept.lock.locked()]:
                del self._kept[key]
            while len(self._kept) > 1 and (len(self._kept) > _MOST_ANSWERS or self._size() > self._most_bytes):
                self._kept.popitem(last=False)


def answers_of(request: Request) -> RevisedCache:
    """The app's."""
    found = request.app.state.answers
    assert isinstance(found, RevisedCache)
    return found
