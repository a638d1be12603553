"""Reads `.npz` files of log-mel clips, for sites that keep no audio, as hostile input."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from edge_agent.capture.audio_file import open_regular
from edge_agent.capture.files import InputError

BANDS: Final = 128
MAX_CLIPS: Final = 1_000_000
MAX_FRAMES: Final = 112_500
"""Longest clip: an hour of frames 32 ms apart."""
MAX_BYTES: Final = 8 * 1024**3
"""Most that all arrays of a file may unpack to; only one clip of it is held at a time."""
MAX_LABEL_BYTES: Final = 64 * 1024**2
"""Most that one label array may unpack to; these are held whole."""
MAX_MEMBERS: Final = 64
MIN_DB, MAX_DB = -200.0, 200.0
"""What decibels can be; a power spectrogram that was not converted leaves this range."""

MAX_FIRST_FRAME: Final = 1 << 48
"""No stream is as long."""

_LOG_MEL: Final = "log_mel_db"
_LABELS: Final = ("machine_id", "anomalous", "name", "first_frame")
_T = TypeVar("_T")


@dataclass(frozen=True, eq=False)
class LogMelClip:
    """One clip of a file.

    Attributes:
        index: Its place in the file, from 0.
        log_mel_db: float32 `[frames, 128]`.
        name: Its name in the file, if it has one.
        machine_id: The machine it says it was recorded at, if it says so.
        anomalous: Its label, if it has one; for evaluation, never for scoring.
        first_frame: Number of its first frame on the grid of the stream that it was cut from, so that the encoder is
            shown the same patches; 0 for a recording of its own.
    """

    index: int
    log_mel_db: npt.NDArray[np.float32]
    name: str | None = None
    machine_id: str | None = None
    anomalous: bool | None = None
    first_frame: int = 0


@dataclass(frozen=True)
class _Member:
    """One array of the file, by its header alone."""

    info: zipfile.ZipInfo
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran_order: bool
    header_bytes: int

    @property
    def array_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


class LogMelClips:
    """The clips of one `.npz` file: `log_mel_db` float `[clips, frames, 128]`, optional labels per clip.

    The file is checked whole when the object is made (headers, sizes, dtypes, checksums, every value
    finite), without unpickling anything and holding one clip at a time.

    Args:
        path: The file, with `log_mel_db` as float16, float32 or float64 and, if wanted, `machine_id` (text or
            integers), `anomalous` (truth values), `name` (text) and `first_frame` (integers: where the clip lay on its
            stream's grid of frames), each `[clips]`; other arrays are ignored.

    Raises:
        InputError: The file is not such a file; nothing was handed out.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        _guarded(path, self._check)

    def __len__(self) -> int:
        return self._log_mel.shape[0]

    @property
    def frames(self) -> int:
        """Frames per clip."""
        return self._log_mel.shape[1]

    @property
    def machine_ids(self) -> tuple[str, ...] | None:
        """The machine of each clip, if the file says so."""
        return self._machine_ids

    def __iter__(self) -> Iterator[LogMelClip]:
        """Yield the clips in order; raises `InputError` if the file was changed since it was checked."""
        clips = self._read_clips()
        for index in range(len(self)):
            yield LogMelClip(
                index=index,
                log_mel_db=_guarded(self.path, lambda: next(clips)),
                name=self._names[index] if self._names else None,
                machine_id=self._machine_ids[index] if self._machine_ids else None,
                anomalous=bool(self._anomalous[index]) if self._anomalous is not None else None,
                first_frame=int(self._first_frames[index]) if self._first_frames is not None else 0,
            )

    def _check(self) -> None:
        with open_regular(self.path) as file, zipfile.ZipFile(file) as archive:
            members = _read_headers(self.path, archive)
            if _LOG_MEL not in members:
                named = ", ".join(sorted(members)) or "nothing"
                raise self._error(f"has no array {_LOG_MEL} (it holds {named})", "save it under that name")
            self._log_mel = members[_LOG_MEL]
            self._check_log_mel_header()
            labels = {name: self._read_label(archive, members[name]) for name in _LABELS if name in members}
        self._machine_ids = self._texts(labels.get("machine_id"))
        self._names = self._texts(labels.get("name"))
        self._anomalous = self._truths(labels.get("anomalous"))
        self._first_frames = self._positions(labels.get("first_frame"))
        for _ in self._read_clips():
            pass  # each is checked as it is read; at the end the archive checks its CRC

    def _check_log_mel_header(self) -> None:
        shape, dtype = self._log_mel.shape, self._log_mel.dtype
        if dtype.kind != "f" or dtype.itemsize not in {2, 4, 8}:
            raise self._error(f"{_LOG_MEL} is {dtype}", "save it as float16, float32 or float64")
        if len(shape) != 3 or shape[2] != BANDS:
            raise self._error(f"{_LOG_MEL} has the shape {list(shape)}", f"it must be [clips, frames, {BANDS}]")
        if not 1 <= shape[0] <= MAX_CLIPS or not 1 <= shape[1] <= MAX_FRAMES:
            limits = f"1 to {MAX_CLIPS} clips of 1 to {MAX_FRAMES} frames"
            raise self._error(f"{_LOG_MEL} has the shape {list(shape)}", f"a file holds {limits}")
        if self._log_mel.fortran_order:
            raise self._error(f"{_LOG_MEL} is stored column by column", "save np.ascontiguousarray(log_mel_db)")

    def _read_clips(self) -> Iterator[npt.NDArray[np.float32]]:
        clips, frames, bands = self._log_mel.shape
        dtype = self._log_mel.dtype
        clip_bytes = frames * bands * dtype.itemsize
        with open_regular(self.path) as file, zipfile.ZipFile(file) as archive:
            with archive.open(self._log_mel.info) as data:
                data.read(self._log_mel.header_bytes)
                for index in range(clips):
                    raw = data.read(clip_bytes)
                    if len(raw) < clip_bytes:
                        raise self._error(f"{_LOG_MEL} ends within clip {index} of {clips}", "copy it again")
                    values = np.frombuffer(raw, dtype=dtype).reshape(frames, bands)
                    self._check_values(values, index)
                    yield values.astype(np.float32)
                data.read(1)  # reaching the end makes the archive compare the checksum

    def _check_values(self, values: npt.NDArray[Any], index: int) -> None:
        low, high = values.min(), values.max()  # NaN propagates, and fails the comparison
        if MIN_DB <= low and high <= MAX_DB:
            return
        frame, band = np.argwhere(~((values >= MIN_DB) & (values <= MAX_DB)))[0]
        value = values[frame, band]
        what = f"{_LOG_MEL} has the value {value} in clip {index}, frame {frame}, band {band}"
        raise self._error(what, f"decibels are finite and within {MIN_DB:g} to {MAX_DB:g}")

    def _read_label(self, archive: zipfile.ZipFile, member: _Member) -> npt.NDArray[Any]:
        name = member.info.filename
        if member.shape != (len(self),):
            raise self._error(f"{name} has the shape {list(member.shape)}", f"it must be [{len(self)}], one per clip")
        if member.array_bytes > MAX_LABEL_BYTES:
            raise self._error(f"{name} unpacks to {member.array_bytes} bytes", f"the limit is {MAX_LABEL_BYTES}")
        with archive.open(member.info) as data:
            data.read(member.header_bytes)
            raw = data.read(member.array_bytes)
            data.read(1)
        return np.frombuffer(raw, dtype=member.dtype)

    def _texts(self, values: npt.NDArray[Any] | None) -> tuple[str, ...] | None:
        if values is None:
            return None
        if values.dtype.kind == "S":
            return tuple(value.decode("utf-8") for value in values.tolist())
        if values.dtype.kind not in "Uiu":
            raise self._error(f"a label array is {values.dtype}", "machine_id and name must be text")
        return tuple(str(value) for value in values.tolist())

    def _truths(self, values: npt.NDArray[Any] | None) -> npt.NDArray[np.bool_] | None:
        if values is None:
            return None
        if values.dtype.kind not in "biuf" or not np.isin(values, (0, 1)).all():
            raise self._error(f"anomalous ({values.dtype}) is not true or false", "save it as bool")
        return values.astype(np.bool_)

    def _positions(self, values: npt.NDArray[Any] | None) -> npt.NDArray[np.int64] | None:
        if values is None:
            return None
        if values.dtype.kind not in "iu" or (values < 0).any() or (values > MAX_FIRST_FRAME).any():
            what = f"first_frame ({values.dtype}) is no frame number from 0 to {MAX_FIRST_FRAME}"
            raise self._error(what, "save it as int64, or leave it out")
        return values.astype(np.int64)

    def _error(self, what: str, mend: str) -> InputError:
        return InputError(self.path, what, mend)


def _read_headers(path: Path, archive: zipfile.ZipFile) -> dict[str, _Member]:
    infos = archive.infolist()
    if len(infos) > MAX_MEMBERS:
        raise InputError(path, f"holds {len(infos)} members", f"an .npz of clips holds at most {MAX_MEMBERS}")
    total = sum(info.file_size for info in infos)
    if total > MAX_BYTES:
        raise InputError(path, f"unpacks to {total} bytes, more than {MAX_BYTES}", "split it")
    members: dict[str, _Member] = {}
    for info in infos:
        name = info.filename.removesuffix(".npy")
        if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED} or name in members:
            what = f"member {info.filename} is there twice or packed in an unusual way"
            raise InputError(path, what, "save it with numpy.savez_compressed")
        if name == info.filename:
            continue
        with archive.open(info) as data:
            members[name] = _read_header(path, info, data)
    return members


def _read_header(path: Path, info: zipfile.ZipInfo, data: IO[bytes]) -> _Member:
    version = np.lib.format.read_magic(data)
    if version == (1, 0):
        shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(data)
    elif version == (2, 0):
        shape, fortran_order, dtype = np.lib.format.read_array_header_2_0(data)
    else:
        raise InputError(path, f"{info.filename} has the .npy version {version}", "save it with numpy.savez")
    if dtype.hasobject:
        raise InputError(path, f"{info.filename} holds pickled Python objects", "save it as text or numbers")
    member = _Member(info, shape, dtype, fortran_order, data.tell())
    if any(size < 0 for size in shape) or member.array_bytes != info.file_size - member.header_bytes:
        what = f"{info.filename} says {list(shape)} of {dtype} but holds {info.file_size - member.header_bytes} bytes"
        raise InputError(path, what, "save it again")
    return member


def _guarded(path: Path, action: Callable[[], _T]) -> _T:
    """Do something with an archive; what zipfile, zlib and numpy find wrong becomes an `InputError`."""
    try:
        return action()
    except zipfile.BadZipFile as error:
        raise InputError(path, f"is no sound .npz file ({error})", "save it with numpy.savez_compressed") from error
    except InputError:
        raise
    except Exception as error:  # zlib.error, ValueError, SyntaxError, struct.error, RuntimeError (encrypted), ...
        what = f"is no sound .npz file ({type(error).__name__}: {error})"
        raise InputError(path, what, "save it with numpy.savez_compressed") from error
