"""Which windows teach what is normal, and yet are not kept beside the profile: those in which somebody may speak."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.features import Recording, WindowFeatures


@dataclass(frozen=True, slots=True)
class Withhold:
    """A rule by which windows are not kept. For one thread.

    Attributes:
        holds: Whether frames `[frames, 128]`, dB, are such.
        why: In words, for the verdict.
    """

    holds: Callable[[NDArray[np.float32]], bool]
    why: str

    def in_words(self, withheld: int, windows: int) -> str:
        """For the verdict."""
        left = "more can be added to the others" if withheld < windows else "nothing can be added later"
        return f"not kept: {withheld} of {windows} windows, {self.why}; they were learnt from, {left}"


KEEP_ALL = Withhold(lambda _: False, "")


def without(recording: Recording, withheld: Collection[WindowFeatures]) -> Recording | None:
    """A recording but for some of its windows; None where no other is left."""
    ids = {id(window) for window in withheld}
    places = [k for k, window in enumerate(recording.windows) if id(window) not in ids]
    if len(places) == len(recording.windows):
        return recording
    if not places:
        return None
    return Recording(
        name=recording.name,
        windows=tuple(recording.windows[k] for k in places),
        levels=tuple(recording.levels[k] for k in places),
        starts_s=tuple(recording.starts_s[k] for k in places) if recording.starts_s else (),
        state=recording.state,
        trusted=recording.trusted,
    )
