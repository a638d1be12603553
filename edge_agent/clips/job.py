"""A clip on its way from the scorer to the disk."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.clips.policy import Wish
from edge_agent.clips.ring import Stretch
from edge_agent.clips.sidecar import Judgement, Origin


@dataclass(frozen=True, slots=True, eq=False)
class ClipJob:
    """Everything that the writer needs, with copies of the sound: the scorer goes on.

    Attributes:
        clip_id: ULID, told to the alarm before the clip exists.
        wish: Why it is kept.
        machine, machine_type: Whose sound.
        origin: Where it was heard.
        judgement: What was made of it.
        alarm: Id of the alarm it belongs to.
        clock_synced: Whether `window_start_ns` can be trusted.
        window_start_ns: Wall time of the window's start.
        window_first, window_samples: The window on the stream's clock, at 16 kHz.
        stretch: The sound, the window and what was before and after.
        before_db: Frames of the last normal window `[frames, 128]`, for an alarm's picture.
    """

    clip_id: str
    wish: Wish
    machine: str
    machine_type: str
    origin: Origin
    judgement: Judgement
    alarm: str | None
    clock_synced: bool
    window_start_ns: int
    window_first: int
    window_samples: int
    stretch: Stretch
    before_db: NDArray[np.float16] | None = None

    @property
    def window(self) -> tuple[int, int]:
        """Where the window lies in the stretch, `[start, stop)` in samples."""
        start = self.window_first - self.stretch.first_sample
        return start, start + self.window_samples

    @property
    def nbytes(self) -> int:
        """Memory that it holds while it waits."""
        return self.stretch.samples.nbytes + (0 if self.before_db is None else self.before_db.nbytes)
