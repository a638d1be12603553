"""Items on a local socket: a kind, a length, and JSON or `.npz`; read as hostile input on both sides."""

import io
import struct
from typing import Annotated, Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from edge_agent.commissioning.errors import ListenError
from edge_agent.commissioning.items import Ended, HeardWindow, InAlarm, Item, Level, SourceStatus, TakenOver
from edge_agent.detection.errors import DetectionError
from edge_agent.detection.features import WindowFeatures
from edge_agent.inference.arrays import read_npz
from edge_agent.inference.errors import BundleError
from edge_agent.settings.base import ID_PATTERN
from edge_agent.signal.level import LevelReading

MAX_JSON_BYTES = 16 * 1024
MAX_WINDOW_BYTES = 16 << 20
MAX_REQUEST_BYTES = 1024

_HEADER = struct.Struct("!cI")
_JSON, _WINDOW = b"J", b"W"
_ARRAYS = ("log_mel_db", "embeddings", "logits")


class _Strict(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Request(_Strict):
    """What a listener asks for, as one line of JSON."""

    version: Literal[1] = 1
    machine: Annotated[str, Field(pattern=ID_PATTERN)]


class Welcome(_Strict):
    """The answer: what is heard, and by which bundle; or why not."""

    kind: Literal["welcome"] = "welcome"
    source: str = ""
    bundle_sha256: str = ""
    window_s: float = 0.0
    refused: Annotated[str, Field(max_length=2048)] = ""


class _LevelText(_Strict):
    kind: Literal["level"] = "level"
    rms_dbfs: float | None
    peak_dbfs: float | None
    clipped: int


class _SourceText(_Strict):
    kind: Literal["source"] = "source"
    state: Annotated[str, Field(max_length=32)]
    detail: Annotated[str, Field(max_length=4096)]


class _TakenOverText(_Strict):
    kind: Literal["taken_over"] = "taken_over"
    machines: Annotated[tuple[Annotated[str, Field(pattern=ID_PATTERN)], ...], Field(max_length=256)]


class _EndedText(_Strict):
    kind: Literal["ended"] = "ended"
    reason: Annotated[str, Field(max_length=4096)]


class _InAlarmText(_Strict):
    kind: Literal["in_alarm"] = "in_alarm"
    machine: Annotated[str, Field(pattern=ID_PATTERN)]


class _LevelReadingText(_Strict):
    rms_dbfs: float | None
    peak_dbfs: float | None
    dc: float
    clipped_fraction: float
    repeated_fraction: float
    used_bits: int


class _WindowText(_Strict):
    start_ns: Annotated[int, Field(ge=0, lt=1 << 63)]
    start_s: Annotated[float, Field(ge=0)]
    duration_s: Annotated[float, Field(gt=0, le=600)]
    coverage: Annotated[float, Field(ge=0, le=1)]
    rejected: Annotated[str, Field(max_length=64)] | None
    reconstruction_error: float | None
    level: _LevelReadingText | None


Message = Item | InAlarm | Welcome
"""What goes over the socket, from the agent to the command."""

_Text = Welcome | _LevelText | _SourceText | _TakenOverText | _EndedText | _InAlarmText
_TEXT: TypeAdapter[_Text] = TypeAdapter(
    Annotated[_Text, Field(discriminator="kind")],
    config=ConfigDict(defer_build=True),
)


def to_bytes(item: Message) -> bytes:
    """An item as it goes over the socket."""
    if isinstance(item, HeardWindow):
        content = _window_bytes(item)
        return _HEADER.pack(_WINDOW, len(content)) + content
    content = _text_of(item).model_dump_json().encode()
    return _HEADER.pack(_JSON, len(content)) + content


def read(stream: BinaryIO) -> Message | None:
    """The next item; None where the other side went away between two.

    Raises:
        ListenError: It is none, or cut short.
    """
    header = stream.read(_HEADER.size)
    if not header:
        return None
    if len(header) < _HEADER.size:
        raise ListenError("the agent went away in the midst of a message; start again")
    kind, length = _HEADER.unpack(header)
    most = {_JSON: MAX_JSON_BYTES, _WINDOW: MAX_WINDOW_BYTES}.get(kind, -1)
    if length > most:
        raise ListenError(
            f"a message of kind {kind!r} with {length} bytes is none of an agent's; is it another version?"
        )
    content = stream.read(length)
    if len(content) < length:
        raise ListenError("the agent went away in the midst of a message; start again")
    try:
        return _window(content) if kind == _WINDOW else _item(content)
    except (ValidationError, BundleError, DetectionError) as error:
        raise ListenError(f"a message of the agent cannot be read ({error}); is it another version?") from error


def _text_of(item: Message) -> _Strict:
    if isinstance(item, Welcome):
        return item
    if isinstance(item, Level):
        return _LevelText(rms_dbfs=item.rms_dbfs, peak_dbfs=item.peak_dbfs, clipped=item.clipped)
    if isinstance(item, SourceStatus):
        return _SourceText(state=item.state, detail=item.detail[:4096])
    if isinstance(item, TakenOver):
        return _TakenOverText(machines=item.machines)
    if isinstance(item, Ended):
        return _EndedText(reason=item.reason)
    if isinstance(item, InAlarm):
        return _InAlarmText(machine=item.machine)
    raise AssertionError(f"{type(item).__name__} does not travel as text")


def _item(content: bytes) -> Message:
    text = _TEXT.validate_json(content)
    if isinstance(text, Welcome):
        return text
    if isinstance(text, _LevelText):
        return Level(text.rms_dbfs, text.peak_dbfs, text.clipped)
    if isinstance(text, _SourceText):
        return SourceStatus(text.state, text.detail)
    if isinstance(text, _TakenOverText):
        return TakenOver(text.machines)
    if isinstance(text, _InAlarmText):
        return InAlarm(text.machine)
    return Ended(text.reason)


def _window_bytes(window: HeardWindow) -> bytes:
    level = window.level
    names = _LevelReadingText.model_fields
    text = _WindowText(
        start_ns=window.start_ns,
        start_s=window.start_s,
        duration_s=window.duration_s,
        coverage=window.coverage,
        rejected=window.rejected,
        reconstruction_error=window.features.reconstruction_error,
        level=None if level is None else _LevelReadingText(**{name: getattr(level, name) for name in names}),
    )
    arrays: dict[str, NDArray[Any]] = {name: getattr(window.features, name) for name in _ARRAYS}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, metadata=np.frombuffer(text.model_dump_json().encode(), np.uint8), **arrays)
    return buffer.getvalue()


def _window(content: bytes) -> HeardWindow:
    arrays = read_npz(content, name="window", max_bytes=MAX_WINDOW_BYTES)
    if set(arrays) != {"metadata", *_ARRAYS} or any(arrays[name].dtype != np.float32 for name in _ARRAYS):
        raise DetectionError("a window without its arrays")
    text = _WindowText.model_validate_json(arrays["metadata"].tobytes())
    log_mel_db, embeddings, logits = (arrays[name] for name in _ARRAYS)
    features = WindowFeatures(log_mel_db, embeddings, logits, text.reconstruction_error)
    level = None
    if text.level is not None:
        level = LevelReading(**text.level.model_dump())
    return HeardWindow(text.start_ns, text.start_s, text.duration_s, text.coverage, text.rejected, features, level)
