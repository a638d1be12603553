"""A spectrogram as a picture: the last minute of one machine."""

import numpy as np
from numpy.typing import NDArray

from edge_agent.clips.picture import before_after_png

_SPAN_DB = 70.0


def spectrogram_png(log_mel_db: NDArray[np.float32]) -> bytes:
    """One pixel per frame and mel band, low bands at the bottom (PNG).

    Args:
        log_mel_db: `[frames, 128]`, dB.
    """
    return before_after_png(None, np.maximum(log_mel_db, log_mel_db.max(initial=-200.0) - _SPAN_DB))
