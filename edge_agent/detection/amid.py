"""How normal windows score amid sounds that commissioning did not hear: what the threshold must hold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.background import Background
from edge_agent.detection.calibration import PredictiveTail
from edge_agent.detection.features import WindowFeatures
from edge_agent.detection.held_out import HeldOut, fused_copies, fused_tail
from edge_agent.detection.prior import TypePrior

Hear = Callable[[NDArray[np.float32]], WindowFeatures]
"""Features of a window from its log-mel frames `[frames, 128]`."""

_SPREAD = 1.0
_MOST_COPIES = 120
_MOST_COPIES_OF_A_WINDOW = 4


@dataclass(frozen=True, slots=True)
class Scale:
    """What fused values are measured by.

    Attributes:
        tails: For each window, the distribution of the normal values of its operating state.
        common: That of all states together.
    """

    tails: tuple[PredictiveTail, ...]
    common: PredictiveTail

    def shared(self, window: int, value: float) -> float:
        """A value of a window, as far from the mean of all states as it is from its own state's."""
        return self.common.centre + self.common.spread * self.tails[window].standardise(value)


def amid_background(
    windows: Sequence[WindowFeatures],
    held: HeldOut,
    prior: TypePrior,
    scale: Scale,
    *,
    hear: Hear | None,
    rng: np.random.Generator,
) -> PredictiveTail | None:
    """Distribution of the fused values of held-out windows amid synthetic background.

    Args:
        windows: Normal windows.
        held: Their held-out results.
        prior: The type's.
        scale: What their values are measured by; the distribution is on its common scale.
        hear: The bundle's encoder; without it the detectors that need one take no part.
        rng: Draws backgrounds.

    Returns:
        The distribution; None where no detector could tell.
    """
    background, again = Background(rng), hear or _without_encoder
    chosen = np.sort(rng.permutation(len(windows))[:_MOST_COPIES])
    times = max(1, min(_MOST_COPIES_OF_A_WINDOW, _MOST_COPIES // len(windows)))
    copies = {
        place: [again(background.added_to(windows[place].log_mel_db)) for _ in range(times)]
        for place in chosen.tolist()
    }
    values, owners = fused_copies(held, prior, copies)
    known = np.isfinite(values)
    if not known.any():
        return None
    pairs = zip(owners[known].tolist(), values[known].tolist(), strict=True)
    shared = np.array([scale.shared(window, value) for window, value in pairs])
    return fused_tail(held, shared, held.recordings[owners[known]], prior_spread=_SPREAD)


def _without_encoder(log_mel_db: NDArray[np.float32]) -> WindowFeatures:
    nothing = np.empty((0, 0), np.float32)
    return WindowFeatures(log_mel_db, nothing, nothing)
