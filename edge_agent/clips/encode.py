"""From samples to the bytes of a clip, and back."""

import io
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.clips.errors import ClipError
from edge_agent.clips.files import open_plain

SAMPLE_RATE_HZ = 16_000
BANDS = 128
_MOST_S = 600
_MOST_UNPACKED_BYTES = 64 << 20


def flac_bytes(samples: NDArray[np.int16]) -> bytes:
    """A FLAC file of mono samples `[n]` at 16 kHz, 16 bits: lossless.

    >>> import soundfile
    >>> found = flac_bytes(np.array([1, -2, 3], np.int16))
    >>> soundfile.read(io.BytesIO(found), dtype="int16")[0].tolist()
    [1, -2, 3]
    """
    import soundfile  # noqa: PLC0415  libsndfile, once there is a clip

    file = io.BytesIO()
    soundfile.write(file, samples, SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def read_flac(path: Path) -> NDArray[np.int16]:
    """The samples `[n]` of a clip.

    Raises:
        ClipError: It is no such file.
    """
    import soundfile  # noqa: PLC0415  as above

    try:
        with open_plain(path) as content, soundfile.SoundFile(content) as file:
            if (file.format, file.samplerate, file.channels) != ("FLAC", SAMPLE_RATE_HZ, 1):
                raise ClipError(f"{path}: {file.format}, {file.samplerate} Hz, {file.channels} channels; no clip")
            if file.frames > _MOST_S * SAMPLE_RATE_HZ:  # silence packs a thousandfold
                raise ClipError(f"{path}: {file.frames / SAMPLE_RATE_HZ:.0f} s; no clip is longer than {_MOST_S} s")
            samples: NDArray[np.int16] = file.read(dtype="int16")
            return samples
    except (soundfile.LibsndfileError, OSError) as error:
        raise ClipError(f"{path}: cannot be read ({error}); delete the clip") from error


def log_mel_bytes(
    window_db: NDArray[np.float32], *, first_frame: int, machine: str, name: str, roll_db: NDArray[np.float32]
) -> bytes:
    """An `.npz` that `edge-agent replay` reads, for sites that keep no audio.

    Args:
        window_db: The window's frames `[frames, 128]`, dB; stored as float16.
        first_frame: Its first frame on the stream's grid, so that a replay cuts the same patches.
        machine: Which machine.
        name: The clip's id.
        roll_db: All frames `[frames, 128]`, what was before and after the window included.
    """
    file = io.BytesIO()
    np.savez_compressed(
        file,
        log_mel_db=window_db[None].astype(np.float16),
        machine_id=np.array([machine]),
        name=np.array([name]),
        first_frame=np.array([first_frame], np.int64),
        roll_db=roll_db.astype(np.float16),
    )
    return file.getvalue()


def read_log_mel(path: Path) -> NDArray[np.float32]:
    """All frames `[frames, 128]` of a clip without sound, what was before and after the window included.

    Raises:
        ClipError: It is no such file.
    """
    try:
        with open_plain(path) as content, np.load(content, allow_pickle=False) as arrays:
            unpacked_bytes = sum(member.file_size for member in arrays.zip.infolist())
            if unpacked_bytes > _MOST_UNPACKED_BYTES:
                raise ClipError(f"{path}: unpacks to {unpacked_bytes} bytes; no clip does")
            frames = np.asarray(arrays["roll_db"], np.float32)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ClipError(f"{path}: cannot be read ({error}); delete the clip") from error
    if frames.ndim != 2 or frames.shape[1] != BANDS or not np.isfinite(frames).all():
        raise ClipError(f"{path}: roll_db is {list(frames.shape)}, not [frames, {BANDS}] of finite values")
    return frames
