"""The bounded hand-over of blocks from a device's reader to the agent."""

from __future__ import annotations

import threading
from collections import deque

from edge_agent.capture.source import Block, SourceError


class HandOver:
    """A bounded first-in first-out queue of blocks with an end, between one reader and one consumer.

    The reader never waits: a block that does not fit is refused, and the reader lets its sample clock run on,
    so that the next block shows the gap. What was accepted is always handed out, also after the end.

    Args:
        max_blocks: Most blocks held.
    """

    def __init__(self, max_blocks: int) -> None:
        if max_blocks < 1:
            msg = f"max_blocks must be 1 or more, not {max_blocks}"
            raise ValueError(msg)
        self._max_blocks = max_blocks
        self._changed = threading.Condition()
        self._blocks: deque[Block] = deque()
        self._finished = False
        self._error: SourceError | None = None

    def put(self, block: Block) -> bool:
        """Offer a block; false if there is no room for it, or nobody listens any more."""
        with self._changed:
            if self._finished or len(self._blocks) >= self._max_blocks:
                return False
            self._blocks.append(block)
            self._changed.notify_all()
            return True

    def put_last(self, block: Block) -> None:
        """Add a block even if there is no room: for the few that a device still holds when it is stopped."""
        with self._changed:
            if not self._finished:
                self._blocks.append(block)
                self._changed.notify_all()

    def finish(self, error: SourceError | None = None) -> None:
        """Say that nothing more comes, and why if that is a fault; the first call counts."""
        with self._changed:
            if not self._finished:
                self._finished = True
                self._error = error
            self._changed.notify_all()

    def get(self, timeout_s: float | None = None) -> Block | None:
        """Wait for the next block; None after the last one.

        Raises:
            SourceError: The reader ended with this fault, after its last block.
            TimeoutError: The reader gave nothing for `timeout_s`.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._blocks or self._finished, timeout_s):
                raise TimeoutError
            if self._blocks:
                return self._blocks.popleft()
            if self._error is not None:
                raise self._error
            return None
