"""The normal sound that a profile was fitted on, kept small, so that more can be added later."""

import hashlib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_agent.detection.errors import DetectionError
from edge_agent.detection.features import BANDS, STATE_NAME, Recording, WindowFeatures
from edge_agent.inference.arrays import read_npz
from edge_agent.inference.errors import BundleError
from edge_agent.signal.level import LevelReading

MAX_WINDOWS = 240
"""Windows kept at most, 40 minutes; of more, an even choice."""
MAX_BYTES = 24 << 20
_MAX_UNPACKED_BYTES = 96 << 20
_MAX_FRAMES = 4096
_MAX_NAME_LENGTH = 4096
_STEPS = 255
_HIGHEST_DB = 1000.0


@dataclass(frozen=True, slots=True)
class Source:
    """What features depend on besides the sound: those of other sources cannot be mixed.

    Attributes:
        signal_hash: Hash of the signal settings.
        encoder_sha256: The encoder's file.
    """

    signal_hash: str
    encoder_sha256: str


@dataclass(frozen=True, slots=True, eq=False)
class Normals:
    """Recordings of normal sound as features.

    Log-mel frames are kept in 255 steps over the range of their window (0.3 dB of typical 80), which moves a mean over
    a window by hundredths of a dB; embeddings and logits as float16. Ten minutes take about 2 MB.

    Attributes:
        source: What the features depend on.
        recordings: The recordings, in order of time, rounded as they are kept.
    """

    source: Source
    recordings: tuple[Recording, ...]

    @classmethod
    def of(cls, source: Source, recordings: Sequence[Recording]) -> Self:
        """Keep recordings; of more than 240 windows an even choice."""
        total = sum(len(recording.windows) for recording in recordings)
        chosen = set(np.linspace(0, total - 1, min(total, MAX_WINDOWS)).astype(int).tolist())
        kept, first = [], 0
        for recording in recordings:
            places = [k for k in range(len(recording.windows)) if first + k in chosen]
            first += len(recording.windows)
            if places:
                kept.append(_part(recording, places))
        return cls(source, tuple(kept))

    @property
    def windows(self) -> int:
        """How many windows are kept."""
        return sum(len(recording.windows) for recording in self.recordings)

    def check_source(self, source: Source) -> None:
        """Refuse to mix features of different origin.

        Raises:
            DetectionError: The encoder or the signal settings are others.
        """
        for what, mine, theirs in (
            ("signal settings", self.source.signal_hash, source.signal_hash),
            ("encoder", self.source.encoder_sha256, source.encoder_sha256),
        ):
            if mine != theirs:
                raise DetectionError(
                    f"the kept normals were heard with another {what} ({mine[:12]}) than the bundle's ({theirs[:12]}); "
                    "commission the machine again, or use the bundle it was commissioned with"
                )

    def to_bytes(self) -> bytes:
        """The `.npz` file: `metadata` as UTF-8 JSON in bytes, and the windows' arrays one after the other."""
        windows = [window for recording in self.recordings for window in recording.windows]
        packed = [_pack(window.log_mel_db) for window in windows]
        metadata = _Metadata(
            signal_hash=self.source.signal_hash,
            encoder_sha256=self.source.encoder_sha256,
            recordings=tuple(_RecordingMetadata.of(recording) for recording in self.recordings),
        )
        arrays: dict[str, NDArray[Any]] = {
            "metadata": np.frombuffer(metadata.model_dump_json().encode(), np.uint8),
            "frames": np.concatenate([steps for steps, _, _ in packed]),
            "ranges_db": np.array([(low, step) for _, low, step in packed], np.float32),
            "embeddings": np.concatenate([window.embeddings for window in windows]).astype(np.float16),
            "logits": np.concatenate([window.logits for window in windows]).astype(np.float16),
        }
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes, *, name: str) -> Self:
        """Read as hostile input.

        Raises:
            DetectionError: Too large, damaged, or no kept normals.
        """
        if len(content) > MAX_BYTES:
            raise DetectionError(f"{name}: larger than {MAX_BYTES} bytes; commission the machine again")
        try:
            arrays = read_npz(content, name=name, max_bytes=_MAX_UNPACKED_BYTES)
            metadata = arrays.get("metadata")
            if metadata is None or metadata.dtype != np.uint8 or metadata.ndim != 1:
                raise DetectionError(f"{name}: has no metadata; commission the machine again")
            return cls._rebuilt(_Metadata.model_validate_json(metadata.tobytes()), dict(arrays))
        except BundleError as error:
            raise DetectionError(str(error)) from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise DetectionError(f"{name}: metadata {where}: {first['msg']}; commission the machine again") from error
        except DetectionError as error:
            raise DetectionError(f"{name}: {error}") from error

    @classmethod
    def _rebuilt(cls, metadata: "_Metadata", arrays: dict[str, NDArray[Any]]) -> Self:
        told = [window for recording in metadata.recordings for window in recording.windows]
        frames, patches = sum(w.frames for w in told), sum(w.patches for w in told)
        steps, ranges = _array(arrays, "frames", "u", (frames, BANDS)), _array(arrays, "ranges_db", "f", (len(told), 2))
        if len(ranges) and not (np.abs(ranges).max() <= _HIGHEST_DB and ranges[:, 1].min() > 0):
            raise DetectionError("ranges_db are those of no sound; commission the machine again")
        embeddings, logits = (_array(arrays, key, "f", (patches, None)) for key in ("embeddings", "logits"))
        recordings, window_at, frame_at, patch_at = [], 0, 0, 0
        for told_of in metadata.recordings:
            windows = []
            for window in told_of.windows:
                low, step = ranges[window_at].tolist()
                frames_of, patches_of = (
                    slice(frame_at, frame_at + window.frames),
                    slice(patch_at, patch_at + window.patches),
                )
                windows.append(
                    WindowFeatures(
                        _unpack(steps[frames_of], low, step),
                        embeddings[patches_of].astype(np.float32),
                        logits[patches_of].astype(np.float32),
                        window.reconstruction_error,
                    )
                )
                window_at, frame_at, patch_at = window_at + 1, frames_of.stop, patches_of.stop
            recordings.append(told_of.recording(tuple(windows)))
        return cls(Source(metadata.signal_hash, metadata.encoder_sha256), tuple(recordings))


def digest_of(content: bytes) -> str:
    """What a profile calls its normals by: SHA-256 of the file, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _part(recording: Recording, places: Sequence[int]) -> Recording:
    """Some windows of a recording, rounded as they are kept."""
    starts_s = tuple(recording.starts_s[k] for k in places) if recording.starts_s else ()
    windows = tuple(_rounded(recording.windows[k]) for k in places)
    levels = tuple(recording.levels[k] for k in places)
    return Recording(recording.name, windows, levels, starts_s, recording.state, recording.trusted)


def _rounded(window: WindowFeatures) -> WindowFeatures:
    return WindowFeatures(
        _unpack(*_pack(window.log_mel_db)),
        window.embeddings.astype(np.float16).astype(np.float32),
        window.logits.astype(np.float16).astype(np.float32),
        window.reconstruction_error,
    )


def _pack(log_mel_db: NDArray[np.float32]) -> tuple[NDArray[np.uint8], float, float]:
    """Steps, lowest level and step, dB; a window that was rounded before gives its steps again."""
    if not log_mel_db.size:
        return np.zeros((0, BANDS), np.uint8), 0.0, 1.0
    low, high = float(log_mel_db.min()), float(log_mel_db.max())
    step = float(np.float32(max((high - low) / _STEPS, 1e-3)))
    steps = np.clip(np.rint((log_mel_db - np.float32(low)) / np.float32(step)), 0, _STEPS)
    return steps.astype(np.uint8), low, step


def _unpack(steps: NDArray[np.uint8], low: float, step: float) -> NDArray[np.float32]:
    return np.ascontiguousarray(np.float32(low) + steps.astype(np.float32) * np.float32(step))


def _array(arrays: dict[str, NDArray[Any]], key: str, kind: str, shape: tuple[int, int | None]) -> NDArray[Any]:
    array = arrays.get(key)
    if (
        array is None
        or array.ndim != 2
        or array.dtype.kind != kind
        or (kind == "u" and array.dtype != np.uint8)
        or array.shape[0] != shape[0]
        or (shape[1] is not None and array.shape[1] != shape[1])
    ):
        raise DetectionError(f"{key} do not match the metadata; commission the machine again")
    return array


class _Strict(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True, allow_inf_nan=False)


class _LevelMetadata(_Strict):
    rms_dbfs: Annotated[float, Field(ge=-400, le=100)] | None
    peak_dbfs: Annotated[float, Field(ge=-400, le=100)] | None
    dc: Annotated[float, Field(ge=-100, le=100)]
    clipped_fraction: Annotated[float, Field(ge=0, le=1)]
    repeated_fraction: Annotated[float, Field(ge=0, le=1)]
    used_bits: Annotated[int, Field(ge=0, le=64)]

    @classmethod
    def of(cls, level: LevelReading | None) -> Self | None:
        if level is None:
            return None
        return cls(**{name: getattr(level, name) for name in cls.model_fields})

    def reading(self) -> LevelReading:
        return LevelReading(**self.model_dump())


class _WindowMetadata(_Strict):
    frames: Annotated[int, Field(ge=0, le=_MAX_FRAMES)]
    patches: Annotated[int, Field(ge=0, le=_MAX_FRAMES)]
    reconstruction_error: Annotated[float, Field(ge=0)] | None
    level: _LevelMetadata | None


class _RecordingMetadata(_Strict):
    name: Annotated[str, Field(max_length=_MAX_NAME_LENGTH)]
    state: Annotated[str, Field(pattern=f"^{STATE_NAME.pattern}$")] | None
    starts_s: Annotated[tuple[Annotated[float, Field(ge=-1, lt=1e9)], ...], Field(max_length=MAX_WINDOWS)]
    windows: Annotated[tuple[_WindowMetadata, ...], Field(min_length=1, max_length=MAX_WINDOWS)]

    @classmethod
    def of(cls, recording: Recording) -> Self:
        windows = tuple(
            _WindowMetadata(
                frames=window.frames,
                patches=len(window.embeddings),
                reconstruction_error=window.reconstruction_error,
                level=_LevelMetadata.of(level),
            )
            for window, level in zip(recording.windows, recording.levels, strict=True)
        )
        starts_s = tuple(start_s if math.isfinite(start_s) else -1.0 for start_s in recording.starts_s)
        return cls(name=recording.name[-_MAX_NAME_LENGTH:], state=recording.state, starts_s=starts_s, windows=windows)

    def recording(self, windows: tuple[WindowFeatures, ...]) -> Recording:
        levels = tuple(None if window.level is None else window.level.reading() for window in self.windows)
        return Recording(self.name, windows, levels, self.starts_s, self.state)


class _Metadata(_Strict):
    format: Literal[1] = 1
    signal_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    encoder_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    recordings: Annotated[tuple[_RecordingMetadata, ...], Field(min_length=1, max_length=MAX_WINDOWS)]
