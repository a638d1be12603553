"""What commissioning learnt of one machine, in one small file."""

import io
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.calibration import PredictiveTail
from edge_agent.detection.detector import Detector, require
from edge_agent.detection.errors import DetectionError
from edge_agent.detection.features import BANDS
from edge_agent.detection.fusion import Member
from edge_agent.detection.input_health import InputBaseline
from edge_agent.detection.likeness import Likeness
from edge_agent.detection.limit import ExpectedAlarms, limit_of
from edge_agent.detection.prior import TypePrior
from edge_agent.detection.registry import DETECTORS
from edge_agent.detection.states import MAX_STATES, OperatingState
from edge_agent.detection.verify import MAX_WARNINGS
from edge_agent.durable import write_whole
from edge_agent.inference.arrays import read_npz
from edge_agent.inference.errors import BundleError
from edge_agent.inference.manifest import BundleRef
from edge_agent.record import Record

MAX_PROFILE_BYTES = 512 * 1024
MAX_EXEMPLARS = 16
FEW_EXEMPLARS = 4
MAX_NAMES = 200
MAX_SENTENCE = 500
MAX_NORMALS = 16
_MAX_NAME_LENGTH = 120
_MAX_UNPACKED_BYTES = 4 << 20
_METADATA = "metadata"
_LIKENESS = "likeness."

Name = Annotated[str, Field(max_length=_MAX_NAME_LENGTH)]
Sentence = Annotated[str, Field(max_length=MAX_SENTENCE)]
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """Everything that scoring a machine needs besides the bundle.

    Attributes:
        machine_id: The machine.
        machine_type: What it was said to be.
        prior_name: Type whose prior was used: `generic` where the bundle lacked the machine's.
        prior_digest: Digest of that prior; a profile belongs to it.
        bundle: The bundle whose encoder and prior were used.
        created_ns: Wall time of the commissioning, nanoseconds since 1970.
        recordings: How many recordings it rests on.
        windows: How many windows.
        clips: Names of the recordings, at most 200.
        trimmed: Recordings left out, each with the reason.
        warnings: What a person should know of the calibration, one sentence each.
        provisional: Rests on too little sound to be trusted for long.
        budget: Accepted false alarms, and how windows become an alarm.
        threshold: A score at or above it is anomalous.
        expected: False alarms per week to expect.
        correlation: Of the scores of neighbouring windows.
        members: Detectors with their calibration.
        fused_tail: Distribution of the fused value.
        amid_tail: The same amid background; None where the budget of commissioning asked for no margin, or no detector
            could tell: no later budget has a margin then.
        states: The operating states.
        baseline: The input's condition.
        state_spectra_db: `[states, 128]` level-removed mean spectrum of each operating state.
        exemplars: `[n, 128]` level-removed spectra of normal windows, to find the nearest.
        exemplar_clips: `[n]`, for each its place in `clips`.
        likeness: How the machine sounds to the encoder; None where it gives no embeddings.
        normals: Digests of the files that keep the sound it was fitted on; none where that is not kept.
    """

    machine_id: str
    machine_type: str
    prior_name: str
    prior_digest: str
    bundle: BundleRef | None
    created_ns: int
    recordings: int
    windows: int
    clips: tuple[str, ...]
    trimmed: tuple[str, ...]
    warnings: tuple[str, ...]
    provisional: bool
    budget: AlarmBudget
    threshold: float
    expected: ExpectedAlarms
    correlation: float
    members: tuple[Member, ...]
    fused_tail: PredictiveTail
    amid_tail: PredictiveTail | None
    states: tuple[OperatingState, ...]
    baseline: InputBaseline
    state_spectra_db: NDArray[np.float32]
    exemplars: NDArray[np.float16]
    exemplar_clips: NDArray[np.int32]
    likeness: Likeness | None = None
    normals: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        """The `.npz` file: arrays, and `metadata` as UTF-8 JSON in bytes."""
        arrays: dict[str, NDArray[Any]] = {
            _METADATA: np.frombuffer(_Metadata.of(self).model_dump_json().encode(), np.uint8),
            "state_spectra_db": self.state_spectra_db,
            "exemplars": self.exemplars,
            "exemplar_clips": self.exemplar_clips,
        }
        for member in self.members:
            name = member.detector.name
            arrays |= {f"{name}.{key}": array for key, array in member.detector.to_arrays().items()}
        if self.likeness is not None:
            arrays |= {f"{_LIKENESS}{key}": array for key, array in self.likeness.to_arrays().items()}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        return buffer.getvalue()

    def save(self, path: Path) -> None:
        """Write the file so that a crash leaves the old one or the new one, never a part."""
        write_whole(path, self.to_bytes())

    @classmethod
    def load(cls, path: Path) -> "Profile":
        """Read a profile as hostile input.

        Raises:
            DetectionError: Missing, too large, damaged, or not a profile that this agent can use.
        """
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            with open(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise DetectionError(f"{path}: is not a plain file; commission the machine again")
                content = file.read(MAX_PROFILE_BYTES + 1)
        except OSError as error:
            raise DetectionError(f"{path}: {error.strerror}; commission the machine first") from error
        return cls.from_bytes(content, name=str(path))

    @classmethod
    def from_bytes(cls, content: bytes, *, name: str) -> "Profile":
        """Rebuild from the bytes of a file; see `load`."""
        if len(content) > MAX_PROFILE_BYTES:
            raise DetectionError(f"{name}: larger than {MAX_PROFILE_BYTES} bytes; commission the machine again")
        try:
            arrays = read_npz(content, name=name, max_bytes=_MAX_UNPACKED_BYTES)
            metadata = arrays.get(_METADATA)
            if metadata is None or metadata.dtype != np.uint8 or metadata.ndim != 1:
                raise DetectionError(f"{name}: has no metadata; commission the machine again")
            return _Metadata.model_validate_json(metadata.tobytes()).profile(arrays)
        except BundleError as error:
            raise DetectionError(str(error)) from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise DetectionError(f"{name}: metadata {where}: {first['msg']}; commission the machine again") from error
        except DetectionError as error:
            raise DetectionError(f"{name}: {error}") from error

    def with_budget(self, budget: AlarmBudget) -> "Profile":
        """The same knowledge under another budget: threshold and expected alarms follow, nothing is learnt anew."""
        limit = limit_of(self.fused_tail, self.amid_tail, budget, self.correlation)
        return replace(self, budget=budget, threshold=limit.threshold, expected=limit.expected)

    def check_prior(self, prior: TypePrior) -> None:
        """Refuse to score with another prior than the one that the thresholds were made with.

        Raises:
            DetectionError: It is another one.
        """
        if prior.digest != self.prior_digest:
            raise DetectionError(
                f"profile of {self.machine_id!r} was made with another version of type {self.prior_name!r} than the "
                f"bundle holds ({prior.name!r}); commission the machine again, or use the bundle it was made with"
            )


def short_name(name: str) -> str:
    """A recording's name, cut from the left to what a profile keeps."""
    return name if len(name) <= _MAX_NAME_LENGTH else "..." + name[-(_MAX_NAME_LENGTH - 3) :]


class _MemberMetadata(Record):
    detector: Annotated[str, Field(max_length=32)]
    weight: Annotated[float, Field(gt=0, le=100)]
    tail: PredictiveTail


class _StateMetadata(Record):
    name: Id | None
    windows: Annotated[int, Field(ge=1, le=100_000_000)]
    tail: PredictiveTail | None


_MADE = frozenset({"format", "members", "states", "likeness_limit"})
"""Fields of the metadata that are not the profile's own by the same name."""


class _Metadata(Record):
    """What is no array."""

    format: Literal[2] = 2
    machine_id: Id
    machine_type: Id
    prior_name: Id
    prior_digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    bundle: BundleRef | None
    created_ns: Annotated[int, Field(ge=0, lt=1 << 63)]
    recordings: Annotated[int, Field(ge=1, le=1_000_000)]
    windows: Annotated[int, Field(ge=1, le=100_000_000)]
    clips: Annotated[tuple[Name, ...], Field(min_length=1, max_length=MAX_NAMES)]
    trimmed: Annotated[tuple[Sentence, ...], Field(max_length=MAX_NAMES)]
    warnings: Annotated[tuple[Sentence, ...], Field(max_length=MAX_WARNINGS)]
    provisional: bool
    budget: AlarmBudget
    threshold: Annotated[float, Field(gt=0, le=1e6)]
    expected: ExpectedAlarms
    correlation: Annotated[float, Field(ge=0, lt=1)]
    members: Annotated[tuple[_MemberMetadata, ...], Field(min_length=1, max_length=16)]
    fused_tail: PredictiveTail
    amid_tail: PredictiveTail | None
    states: Annotated[tuple[_StateMetadata, ...], Field(min_length=1, max_length=MAX_STATES)]
    baseline: InputBaseline
    likeness_limit: Annotated[float, Field(gt=0, le=2)] | None = None
    normals: Annotated[tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], ...], Field(max_length=MAX_NORMALS)] = ()

    @classmethod
    def of(cls, profile: Profile) -> "_Metadata":
        members = tuple(
            _MemberMetadata(detector=m.detector.name, weight=m.weight, tail=m.tail) for m in profile.members
        )
        states = tuple(_StateMetadata(name=s.name, windows=s.windows, tail=s.tail) for s in profile.states)
        same = {name: getattr(profile, name) for name in cls.model_fields if name not in _MADE}
        limit = None if profile.likeness is None else profile.likeness.limit
        return cls(members=members, states=states, likeness_limit=limit, **same)

    def profile(self, arrays: Mapping[str, NDArray[Any]]) -> Profile:
        members = tuple(Member(_detector(m.detector, arrays), m.tail, m.weight) for m in self.members)
        exemplars = require(arrays, "exemplars", "profile", (None, BANDS)).astype(np.float16)
        places = require(arrays, "exemplar_clips", "profile", (len(exemplars),)).astype(np.int32)
        spectra = require(arrays, "state_spectra_db", "profile", (None, BANDS)).astype(np.float32)
        if len(self.states) != len(spectra):
            raise DetectionError(
                f"{len(self.states)} operating states with {len(spectra)} spectra; commission the machine again"
            )
        if not len(exemplars) or places.min() < 0 or places.max() >= len(self.clips):
            raise DetectionError("exemplars do not match the clips; commission the machine again")
        likeness = None
        if self.likeness_limit is not None:
            likeness = Likeness.from_arrays(_below(_LIKENESS, arrays), self.likeness_limit, len(self.clips))
        states = tuple(OperatingState(s.name, s.windows, s.tail) for s in self.states)
        same = {name: getattr(self, name) for name in type(self).model_fields if name not in _MADE}
        return Profile(
            members=members,
            states=states,
            state_spectra_db=spectra,
            exemplars=exemplars,
            exemplar_clips=places,
            likeness=likeness,
            **same,
        )


def _detector(name: str, arrays: Mapping[str, NDArray[Any]]) -> Detector:
    kind = DETECTORS.get(name)
    if kind is None:
        raise DetectionError(f"detector {name!r} is unknown to this agent; update it or commission again")
    return kind.from_arrays(_below(f"{name}.", arrays))


def _below(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}
