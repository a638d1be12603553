"""One channel on its way to windows, with the books of every sample: what live sources and recordings share."""

import numpy as np
from numpy.typing import NDArray

from edge_agent.capture.ledger import LedgerSnapshot, Outcome, SampleLedger
from edge_agent.capture.limits import MAX_PEAK
from edge_agent.capture.reasons import Lost, Skipped
from edge_agent.pipeline.channel import ChannelStream, SampleTap
from edge_agent.pipeline.window import AnalysedWindow, WindowShape
from edge_agent.signal.logmel import LogMelTransform
from edge_agent.signal.settings import SignalSettings
from edge_agent.signal.stream import FrameTap


class BookedChannel:
    """Feeds one channel's stream and keeps its ledger in step, so that neither is ever told what the other is not.

    Args:
        settings: The signal contract.
        shape: Window and hop.
        rate_hz: Native rate of the source.
        ledger: The channel's books; they may be older than the stream.
        tap: Shown every sample after resampling.
        on_frames: Shown every log-mel frame as it is computed.
        transform: The thread's own, shared by its channels.
    """

    def __init__(
        self,
        settings: SignalSettings,
        shape: WindowShape,
        rate_hz: int,
        ledger: SampleLedger,
        tap: SampleTap | None = None,
        *,
        on_frames: FrameTap | None = None,
        transform: LogMelTransform | None = None,
    ) -> None:
        self.stream = ChannelStream(settings, shape, rate_hz, tap, on_frames=on_frames, transform=transform)
        self._ledger = ledger

    def push(self, samples: NDArray[np.float32], first_sample: int, gap_reason: Lost = Lost.GAP) -> None:
        """Take native samples `[n]`; where they start after the last ones, `gap_reason` is why some are missing.

        A block with a value that no microphone gives (NaN, infinite, far beyond full scale) comes from a broken driver
        or sender: it is skipped, to the windows it is a gap.
        """
        self._ledger.arrived(first_sample, len(samples), gap_reason)
        own = np.ascontiguousarray(samples)
        peak = max(float(np.maximum.reduce(own)), -float(np.minimum.reduce(own)))
        if peak <= MAX_PEAK:  # false for NaN, too
            self.stream.push(own, first_sample, peak)
        else:
            self._ledger.settle(first_sample, len(samples), Skipped.INVALID_SAMPLE)

    def settle(self, window: AnalysedWindow, outcome: Outcome) -> None:
        """Book what became of a window; windows come in order."""
        self._ledger.settle_window(window.start, window.stop - window.start, outcome, next_first=window.next_start)

    def close(self, rest: Skipped) -> LedgerSnapshot:
        """Book what no window took, and return the books."""
        self._ledger.settle_pending(rest)
        return self._ledger.snapshot()
