"""The verdict on one window, as it goes on the wire."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from edge_agent.delivery.fields import (
    Count,
    Finite,
    Fraction,
    Id,
    Label,
    Name,
    NonNegative,
    Percentile,
    Positive,
    Sha256,
    Text,
    Timestamp,
    Ulid,
    WireModel,
    left_out,
)

MachineState = Literal["normal", "suspect", "alarm", "input_fault", "uncommissioned", "unknown"]
"""What one window says of its machine; `unknown` is a channel routed by identity that was not sure."""

AlarmState = Literal[
    "normal",
    "unacknowledged",
    "acknowledged",
    "returned_unacknowledged",
    "latched",
    "suppressed",
    "shelved",
    "out_of_service",
]
"""States of ANSI/ISA-18.2; docs/alarms.md says what leads from one to another."""

_SCORED_STATES = ("normal", "suspect", "alarm")


class Candidate(WireModel):
    """One machine that the window may be of."""

    label: Label
    confidence: Fraction


class Identity(WireModel):
    """What the window sounds like, by the encoder's logits."""

    label: Label
    confidence: Fraction
    top: Annotated[tuple[Candidate, ...], Field(max_length=16)]


class Match(WireModel):
    """The gateway's own machine that the window is most alike to, by what commissioning heard of each.

    `machine` is `unknown` where even the nearest is farther away than its `limit`; distances are 1 less a cosine.
    """

    machine: Label
    distance: Finite
    limit: Finite
    confidence: Fraction


class DetectorResult(WireModel):
    """What one detector found; `share` is its part of the fused score."""

    name: Name
    score: Finite
    neg_log10_p: NonNegative
    share: Finite


class BandContribution(WireModel):
    """What one third-octave band added to the score; negative: it spoke for normal."""

    centre_hz: Positive
    contribution: Finite


class NearestNormal(WireModel):
    """The normal recording that the window is most alike to, to listen to beside it.

    `recording` is what commissioning was given, `start_s` the moment in it, null where nobody knows, `distance` 1 less
    the cosine of what the encoder makes of both: 0 the same, 1 unrelated.
    """

    recording: Annotated[str, Field(max_length=4096)]
    start_s: NonNegative | None
    distance: Annotated[float, Field(allow_inf_nan=False, ge=0, le=2)]


class Anomaly(WireModel):
    """The fused score with all that explains it; `percentile` is of the machine's own normal windows.

    A model that scores by itself, as an autoencoder does, has a score before commissioning: its own error, on its own
    scale. `threshold` and `percentile` are then null, for nothing is known yet of what is normal for the machine.
    `text` says all of it in plain words; an alarm has its own.
    """

    score: Finite
    threshold: Finite | None
    percentile: Percentile | None
    detectors: Annotated[tuple[DetectorResult, ...], Field(max_length=16)]
    bands: Annotated[tuple[BandContribution, ...], Field(max_length=64)]
    nearest_normal: NearestNormal | None = left_out()
    text: Text | None = left_out()

    @model_validator(mode="after")
    def _calibrated_or_not(self) -> Anomaly:
        if (self.threshold is None) != (self.percentile is None):
            raise ValueError("threshold and percentile come from one calibration: both, or neither")
        return self


class InputFinding(WireModel):
    """Something wrong with the input, such as `dead` or `clipped`, with what was measured and its limit if any."""

    name: Name
    value: Finite | None
    limit: Finite | None
    text: Text


class AlarmRef(WireModel):
    """The alarm that the machine is in."""

    id: Ulid
    state: AlarmState


class BundleRef(WireModel):
    """The models that made the result."""

    name: Label
    version: Label
    sha256: Sha256


class FaultType(WireModel):
    """The fault that an anomalous window sounds like, by what operators called others of the machine type.

    `label` is `unknown` where none is near enough; `distance` is 1 less the cosine to the nearest one's prototype.
    """

    label: Label
    distance: Annotated[float, Field(allow_inf_nan=False, ge=0, le=2)]
    confidence: Fraction


class Trend(WireModel):
    """How the machine's health develops; see `states.HealthData`."""

    index: Fraction
    per_day: Finite | None
    days_to_limit: NonNegative | None


class ResultData(WireModel):
    """The verdict on one window of one machine.

    Attributes:
        machine: Its id.
        window_start: Wall time of the window's first sample.
        window_s: Length; below the configured one only at the end of a recording.
        coverage: Part of the window that was heard.
        level_dbfs: Mean level; null for digital silence.
        level_db_spl: Sound pressure level; only where the channel is calibrated.
        match: The commissioned machine that it sounds like; only where the model gives embeddings to compare.
        trend: Where the machine's health is going over days; live, once it can be told.
        prior: Type whose prior the profile was learnt with: `generic` where the bundle lacks the machine's. Only for a
            machine with a profile.
        identity: What it sounds like; null where no patch was whole.
        anomaly: Score and explanation. Without a profile null, or the model's own error with threshold and percentile
            null, if the model tells one.
        state: What the window says.
        alarm: The machine's current alarm, if any.
        input_health: What is wrong with the input; empty when nothing is.
        bundle: The models.
        clock_synced: Whether the wall clock was synchronised when the time was stamped.
        file: Replay only: the recording.
        clip: Replay of `.npz` only: index of the clip in it.
        fault_type: What kind of fault it sounds like; only of an anomalous window, where the models know the type's.
        replayed: Sent from the backlog, after the fact.
    """

    machine: Id
    window_start: Timestamp
    window_s: Positive
    coverage: Fraction
    level_dbfs: Finite | None
    identity: Identity | None
    anomaly: Anomaly | None
    state: MachineState
    alarm: AlarmRef | None
    input_health: Annotated[tuple[InputFinding, ...], Field(max_length=32)]
    bundle: BundleRef
    clock_synced: bool
    file: Annotated[str, Field(max_length=4096)] | None = left_out()
    clip: Count | None = left_out()
    level_db_spl: Finite | None = left_out()
    match: Match | None = left_out()
    prior: Label | None = left_out()
    trend: Trend | None = left_out()
    fault_type: FaultType | None = left_out()
    replayed: bool = False

    @model_validator(mode="after")
    def _anomaly_matches_state(self) -> ResultData:
        calibrated = self.anomaly is not None and self.anomaly.threshold is not None
        if not calibrated and self.state in _SCORED_STATES:
            raise ValueError(
                f"state {self.state!r} of machine {self.machine!r} needs an anomaly score with a threshold"
            )
        if calibrated and self.state == "uncommissioned":
            raise ValueError(f"machine {self.machine!r} cannot have a threshold and be uncommissioned")
        return self
