"""What is said of one window."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class HealthCode(StrEnum):
    """What can be wrong with the input, or with listening at all."""

    DEAD = "dead"
    FROZEN = "frozen"
    UNPLUGGED = "unplugged"
    STOPPED = "stopped"
    CLIPPED = "clipped"
    DC_OFFSET = "dc_offset"
    FROZEN_BITS = "frozen_bits"
    MUFFLED = "muffled"
    HUM = "hum"
    IDENTITY_MISMATCH = "identity_mismatch"


@dataclass(frozen=True, slots=True)
class HealthFinding:
    """One thing that is wrong with the input.

    Attributes:
        code: What.
        blocking: Whether the window says nothing of the machine, so that it counts neither for nor against an alarm.
        message: The finding with its figures, in plain words.
    """

    code: HealthCode
    blocking: bool
    message: str


class DetectorVerdict(NamedTuple):
    """One detector's part.

    Attributes:
        name: The detector.
        score: Its own distance from normal.
        neg_log10_p: `-log10` of the probability that a normal window scores higher.
        share: Its part of what speaks for a fault, 0 to 1; the parts sum to 1.
    """

    name: str
    score: float
    neg_log10_p: float
    share: float


class BandContribution(NamedTuple):
    """One third octave's part.

    Attributes:
        centre_hz: Nominal centre.
        contribution: Its signed part of what speaks for a fault; they sum to the share of the detectors that can
            tell bands apart.
        change_db: Level against the machine's normal, both less the window's level: positive is louder than normal.
    """

    centre_hz: float
    contribution: float
    change_db: float


class Rhythm(StrEnum):
    """How a sound goes on through a window."""

    STEADY = "steady"
    UNEVEN = "uneven"
    INTERMITTENT = "intermittent"


@dataclass(frozen=True, slots=True)
class Change:
    """Where a window differs from normal, as a person would hear it.

    Attributes:
        bands_hz: Centres of neighbouring third octaves that tell it from normal, lowest first.
        change_db: Their level against normal, both less the window's level: positive is louder.
        tone_hz: Where a narrow sound stands out; None for a broad one.
        rhythm: How it goes on.
        rate_hz: How often a second it comes back; None where it does not regularly.
    """

    bands_hz: tuple[float, ...]
    change_db: float
    tone_hz: float | None
    rhythm: Rhythm
    rate_hz: float | None


@dataclass(frozen=True, slots=True)
class NearestNormal:
    """The normal recording to listen to beside this window.

    Attributes:
        recording: Its name, as commissioning was given it.
        start_s: Where in it the most alike window starts, seconds; None where nobody knows.
        distance: 1 less the cosine to it: 0 the same, 1 unrelated. Of the encoder's embeddings, or of the level-removed
            spectra where the model gives none.
    """

    recording: str
    start_s: float | None
    distance: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of one window.

    Attributes:
        score: `-log10` of the probability that a normal window of this machine looks as odd: 2 is one in a hundred.
            Finite, grows with abnormality.
        threshold: A score at or above it is anomalous.
        percentile: Share of the machine's normal windows that look less odd, 0 to 100.
        detectors: Each detector's part, in a fixed order.
        bands: Third octaves, lowest first.
        health: What is wrong with the input.
        state: Number of the operating state that is nearest.
        nearest_normal: The commissioning recording that is most alike.
        is_anomalous: Score at or above the threshold, and the input fit to tell.
        operating_state: Name of that state; None where the machine has but one that nobody named.
        changes: Of an anomalous window, where it differs: the bands without which the score falls most, the same ones
            for every detector; the weightier change first.
        normal_windows: How many normal windows the scores rest on; 0 where nobody said.
    """

    score: float
    threshold: float
    percentile: float
    detectors: tuple[DetectorVerdict, ...]
    bands: tuple[BandContribution, ...]
    health: tuple[HealthFinding, ...]
    state: int
    nearest_normal: NearestNormal
    is_anomalous: bool
    operating_state: str | None = None
    changes: tuple[Change, ...] = ()
    normal_windows: int = 0

    @property
    def blocked(self) -> bool:
        """Whether the input's condition keeps the window from saying anything of the machine."""
        return any(finding.blocking for finding in self.health)
