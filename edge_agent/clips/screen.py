"""Speech is looked for before anything touches the disk, and again before anything leaves the gateway."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from edge_agent.clips.encode import SAMPLE_RATE_HZ
from edge_agent.clips.sidecar import SpeechNote
from edge_agent.speech.detector import Finding, SpeechDetector

FloatArray = NDArray[np.float32]

HOP_SAMPLES, FRAME_SAMPLES = 512, 1024
_MOST_MASKED = 0.8
"""A window of which more than this is silenced says nothing any more and is dropped."""


class SpeechPolicy(StrEnum):
    """What becomes of a clip in which somebody may speak."""

    OFF = "off"
    MASK = "mask"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Part:
    """Which samples of a clip are kept and which of them are silenced, all counted from the uncut clip's first.

    Attributes:
        start, stop: What is kept.
        masked: What becomes silence, `[start, stop)` each, within what is kept.
        note: For the sidecar.
    """

    start: int
    stop: int
    masked: tuple[tuple[int, int], ...]
    note: SpeechNote


class SpeechScreen:
    """Applies the policy. For one thread.

    Args:
        policy: What becomes of speech.
        detector: Finds it; may be None only where the policy is off.
    """

    def __init__(self, policy: SpeechPolicy, detector: SpeechDetector | None) -> None:
        if detector is None and policy is not SpeechPolicy.OFF:
            raise ValueError(f"the policy {policy.value} needs a detector")
        self.policy = policy
        self._find: Callable[[FloatArray], Finding] | None = None if detector is None else detector.find
        self._sha256 = None if detector is None else detector.manifest.model_sha256

    @property
    def detector_sha256(self) -> str | None:
        """Which detector; None where the policy is off."""
        return self._sha256

    def judge(self, log_mel_db: FloatArray, *, lead: int, samples: int, window: tuple[int, int]) -> Part | None:
        """What may be kept of a clip; None where nothing may.

        Args:
            log_mel_db: Its frames `[frames, 128]`, frame k from sample `lead + 512 k` on.
            lead: Samples before its first frame.
            samples: Its length.
            window: Where the window lies in it, `[start, stop)`; what is outside may be left out.
        """
        if self._find is None:
            return Part(0, samples, (), SpeechNote(policy="off", verdict="unscreened"))
        found = self._find(log_mel_db)
        spans = tuple(_samples_of(span, lead, samples) for span in found.spans)
        if not spans:
            return Part(0, samples, (), self._note("clear", found))
        if self.policy is SpeechPolicy.MASK:
            if _overlap(spans, window) > _MOST_MASKED * (window[1] - window[0]):
                return None
            seconds = tuple((start / SAMPLE_RATE_HZ, stop / SAMPLE_RATE_HZ) for start, stop in spans)
            return Part(0, samples, spans, self._note("masked", found).model_copy(update={"masked": seconds}))
        if _overlap(spans, window):
            return None
        start = max((stop for _, stop in spans if stop <= window[0]), default=0)
        stop = min((start for start, _ in spans if start >= window[1]), default=samples)
        return Part(start, stop, (), self._note("trimmed", found))

    def holds_speech(self, log_mel_db: FloatArray) -> bool:
        """Whether somebody may speak in these frames `[frames, 128]`; never where the policy is off."""
        return self._find is not None and bool(self._find(log_mel_db).spans)

    def seconds_of_speech(self, log_mel_db: FloatArray) -> tuple[tuple[float, float], ...]:
        """Where somebody may speak in frames `[frames, 128]`, seconds; nowhere where the policy is off."""
        if self._find is None:
            return ()
        return tuple(
            (start * HOP_SAMPLES / SAMPLE_RATE_HZ, ((stop - 1) * HOP_SAMPLES + FRAME_SAMPLES) / SAMPLE_RATE_HZ)
            for start, stop in self._find(log_mel_db).spans
        )

    def _note(self, verdict: str, found: Finding) -> SpeechNote:
        note = SpeechNote(policy=self.policy.value, verdict="clear", detector=self._sha256, highest=found.highest)
        return note.model_copy(update={"verdict": verdict})


def _samples_of(frames: tuple[int, int], lead: int, samples: int) -> tuple[int, int]:
    """The samples that frames cover; those before the first and after the last frame of the clip belong to them."""
    start, stop = lead + frames[0] * HOP_SAMPLES, lead + (frames[1] - 1) * HOP_SAMPLES + FRAME_SAMPLES
    return 0 if frames[0] == 0 else start, samples if stop > samples - FRAME_SAMPLES else stop


def _overlap(spans: tuple[tuple[int, int], ...], window: tuple[int, int]) -> int:
    return sum(max(0, min(stop, window[1]) - max(start, window[0])) for start, stop in spans)
