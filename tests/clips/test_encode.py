"""Files of clips as somebody else may have made them: an error, no hang, no memory that is not there."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_agent.clips.encode import flac_bytes, log_mel_bytes, read_flac, read_log_mel
from edge_agent.clips.errors import ClipError


def _hours_of_silence(path: Path) -> None:
    with soundfile.SoundFile(path, "w", 16_000, 1, "PCM_16", format="FLAC") as file:
        for _ in range(12):
            file.write(np.zeros(60 * 16_000, np.int16))


def _stereo(path: Path) -> None:
    soundfile.write(path, np.zeros((100, 2), np.int16), 16_000, format="FLAC")


def _content(content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


def _huge_array(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("roll_db.npy", "w") as member:
        member.write(
            b"\x93NUMPY\x01\x00v\x00{'descr': '<f2', 'fortran_order': False, 'shape': (300000, 128), }".ljust(127)
        )
        member.write(b"\n")
        for _ in range(80):
            member.write(bytes(1 << 20))


FLAWED: dict[str, tuple[Callable[[Path], None], Callable[[Path], object]]] = {
    "a pipe": (os.mkfifo, read_flac),
    "a pipe for frames": (os.mkfifo, read_log_mel),
    "a link": (lambda path: path.symlink_to("/dev/zero"), read_flac),
    "no FLAC": (_content(b"RIFF" * 100), read_flac),
    "half of one": (_content(flac_bytes(np.ones(9000, np.int16))[:60]), read_flac),
    "two channels": (_stereo, read_flac),
    "twelve minutes of silence": (_hours_of_silence, read_flac),
    "frames that unpack to more than any": (_huge_array, read_log_mel),
    "no archive": (_content(b"\x93NUMPY"), read_log_mel),
}


@pytest.mark.parametrize("name", list(FLAWED))
@pytest.mark.timeout(60)
def test_what_is_no_clip_is_refused(tmp_path: Path, name: str) -> None:
    make, read = FLAWED[name]
    path = tmp_path / "clip"
    make(path)
    with pytest.raises(ClipError, match="clip"):
        read(path)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    samples = np.random.default_rng(1).integers(-32768, 32768, 5000).astype(np.int16)
    (tmp_path / "x.flac").write_bytes(flac_bytes(samples))
    assert np.array_equal(read_flac(tmp_path / "x.flac"), samples)
    frames = np.random.default_rng(2).normal(-60, 5, (40, 128)).astype(np.float32)
    (tmp_path / "x.npz").write_bytes(log_mel_bytes(frames[5:30], first_frame=5, machine="m", name="n", roll_db=frames))
    assert np.abs(read_log_mel(tmp_path / "x.npz") - frames).max() < 0.05
