"""One training recording, reduced to its features."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BACKGROUND_TYPE = "background"
ANOMALOUS = "anomaly"


@dataclass(frozen=True)
class Recording:
    """What training knows of one recording.

    Attributes:
        name: Where it comes from, for messages.
        machine_id: The machine heard in it; becomes a label.
        machine_type: Its type; `background` for sounds that are no machine's.
        condition: `normal`, `anomaly`, an operating state (`state_...`), a simulated fault (`fault_...`).
        group: Recording session; train and test never share one.
        licence: Terms of the audio.
        log_mel_db: float16 `[frames, bands]`, dB: half precision resolves 0.06 dB at -100 dB, far below any effect.
    """

    name: str
    machine_id: str
    machine_type: str
    condition: str
    group: str
    licence: str
    log_mel_db: NDArray[np.float16]

    @property
    def is_background(self) -> bool:
        """Whether it serves as noise, not as a machine."""
        return self.machine_type == BACKGROUND_TYPE

    @property
    def is_trainable(self) -> bool:
        """Whether the encoder may learn from it: any state, simulated faults, but no real anomaly.

        Simulated faults teach the embedding that a fault is a difference; real ones stay unseen, as on site.
        """
        return not self.is_background and self.condition != ANOMALOUS
