"""What is known of a clip: the JSON file beside it, and the truth of which the index is a copy."""

import base64
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, StringConstraints, ValidationError, model_validator

from edge_agent.clips.errors import ClipError
from edge_agent.clips.reasons import Reason
from edge_agent.delivery.fields import Finite, Fraction, Id, Label, Sha256, Timestamp, Ulid
from edge_agent.record import StrictRecord

SCHEMA_VERSION = 1
MAX_SIDECAR_BYTES = 64 << 10

_MOST = (1 << 63) - 1
"""What an index can hold."""

Count = Annotated[int, Field(ge=0, le=_MOST)]
ShortText = Annotated[str, StringConstraints(max_length=512)]
Span = tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], Annotated[float, Field(ge=0, allow_inf_nan=False)]]


MOST_SPANS = 1000


class Origin(StrictRecord):
    """Where and by what it was heard.

    Attributes:
        site, gateway: Which agent.
        source, channel: Which input.
        device: The device as the configuration names it; never with a password.
        rate_hz: Its native rate.
        calibration_db: dB SPL of full scale, where known.
    """

    site: Id
    gateway: Id
    source: Id
    channel: Annotated[int, Field(ge=0, le=31)]
    device: ShortText
    rate_hz: Annotated[int, Field(ge=8_000, le=192_000)]
    calibration_db: Finite | None = None


class Sound(StrictRecord):
    """What the file holds.

    Attributes:
        kind: `audio` (FLAC, 16 bit, 16 kHz, mono) or `log_mel` (`.npz`).
        start: Wall time of its first sample, by the sample clock.
        first_sample: Position of it on the stream's clock, at 16 kHz, counted from when the source was opened.
        samples: Length at 16 kHz.
        sample_rate_hz: Of the audio, or of what the log-mel was made of.
        window_offset_s, window_s: Where the window lies in it: what comes before and after is roll.
        coverage: Share of the samples that were not lost.
        gaps: What was lost and is silence, seconds from the start; beyond 1000, the nearest to each other as one.
        clipped_samples: Samples beyond full scale.
    """

    kind: Literal["audio", "log_mel"]
    start: Timestamp
    first_sample: Count
    samples: Annotated[int, Field(ge=1, le=_MOST)]
    sample_rate_hz: Literal[16_000] = 16_000
    window_offset_s: Annotated[float, Field(ge=0)]
    window_s: Annotated[float, Field(gt=0)]
    coverage: Fraction
    gaps: Annotated[tuple[Span, ...], Field(max_length=MOST_SPANS)] = ()
    clipped_samples: Count = 0


class BundleName(StrictRecord):
    """The models that judged it."""

    name: Id
    version: ShortText
    sha256: Sha256


class Judgement(StrictRecord):
    """What the agent made of the window.

    Attributes:
        state: As in its result.
        score, threshold, percentile: None for a machine without a profile.
        level_dbfs: None for digital silence.
        bundle: By which models.
        embedding: Mean of its patches, float16 in base64; what novelty is measured by.
    """

    state: Literal["normal", "suspect", "alarm", "input_fault", "uncommissioned", "unknown"]
    score: Finite | None = None
    threshold: Finite | None = None
    percentile: Annotated[float, Field(ge=0, le=100)] | None = None
    level_dbfs: Finite | None = None
    bundle: BundleName
    embedding: Annotated[str, StringConstraints(max_length=12_000)] | None = None


class SpeechNote(StrictRecord):
    """What the speech screen said before the clip was written.

    Attributes:
        policy: `off`, `mask` or `drop`, as configured then.
        verdict: `unscreened` (policy off), `clear`, `masked` (what held speech is silence) or `trimmed` (what held
            speech was before or after the window, and was left out).
        detector: SHA-256 of the detector.
        highest: Highest probability of speech in what the clip was cut from.
        masked: What was silenced, seconds from the start.
    """

    policy: Literal["off", "mask", "drop"]
    verdict: Literal["unscreened", "clear", "masked", "trimmed"]
    detector: Sha256 | None = None
    highest: Fraction | None = None
    masked: Annotated[tuple[Span, ...], Field(max_length=1000)] = ()


class OperatorLabel(StrictRecord):
    """What a person said it is."""

    label: Label
    operator: Label
    at: Timestamp


class Sidecar(StrictRecord):
    """All that is known of a clip.

    Attributes:
        schema_version: Of this file.
        id: ULID; names its files.
        sha256, size_bytes: Of the clip's own file: what the hub stores it by.
        picture_bytes: Size of the spectrogram beside it; 0 where there is none.
        machine: Which machine.
        machine_type: Its kind.
        reason: Why it is kept.
        alarm: Id of the alarm it belongs to.
        slot, settles_at: Of a random one, its part of the day, and until when another may take its place.
        window_start: Wall time of the window's start.
        clock_synced: Whether that time can be trusted.
        pinned: Whether it is never deleted for room.
        synced_at: When the hub had it; None before.
    """

    schema_version: Literal[1] = 1
    id: Ulid
    sha256: Sha256
    size_bytes: Annotated[int, Field(ge=1, le=_MOST)]
    picture_bytes: Count = 0
    machine: Id
    machine_type: Id
    reason: Reason
    alarm: Ulid | None = None
    slot: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,9}\.[0-9]{1,4}/[0-9]{1,4}$")] | None = None
    settles_at: Timestamp | None = None
    window_start: Timestamp
    window_start_ns: Count
    clock_synced: bool
    origin: Origin
    sound: Sound
    judgement: Judgement
    speech: SpeechNote
    label: OperatorLabel | None = None
    pinned: bool = False
    synced_at: Timestamp | None = None

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if (self.speech.verdict == "masked") != bool(self.speech.masked):
            raise ValueError("speech.masked lists what was silenced, and only then")
        return self

    @property
    def may_train(self) -> bool:
        """Whether it may be trained on without a person's look: nothing lost, nothing masked."""
        return self.sound.coverage >= 1.0 and not self.speech.masked

    def to_bytes(self) -> bytes:
        """The file's content."""
        return self.model_dump_json(indent=1, exclude_none=True).encode() + b"\n"


def parse_sidecar(content: bytes, *, name: str) -> Sidecar:
    """Read a sidecar as hostile input.

    Raises:
        ClipError: Too large, or no sidecar of this schema; names the file and the key.
    """
    if len(content) > MAX_SIDECAR_BYTES:
        raise ClipError(f"{name}: {len(content)} bytes; a sidecar has at most {MAX_SIDECAR_BYTES}")
    try:
        return Sidecar.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "sidecar"
        raise ClipError(f"{name}: {where}: {first['msg']}; delete the clip or restore its sidecar") from error


def pack_embedding(embedding: NDArray[np.float32] | None) -> str | None:
    """As the sidecar carries it.

    >>> unpack_embedding(pack_embedding(np.array([1.0, -0.5], np.float32))).tolist()
    [1.0, -0.5]
    """
    return None if embedding is None else base64.b64encode(embedding.astype("<f2").tobytes()).decode()


def unpack_embedding(text: str | None) -> NDArray[np.float32] | None:
    """Back from `pack_embedding`; None for what is no embedding."""
    try:
        found = None if text is None else np.frombuffer(base64.b64decode(text, validate=True), "<f2").astype(np.float32)
    except ValueError:
        return None
    return found if found is not None and len(found) and np.isfinite(found).all() else None
