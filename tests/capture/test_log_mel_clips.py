from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.capture.files import InputError
from edge_agent.capture.log_mel_clips import LogMelClips


def log_mel(clips: int = 3, frames: int = 20, dtype: Any = np.float16) -> np.ndarray:  # noqa: ANN401 (any dtype)
    return np.random.default_rng(3).uniform(-90, 10, (clips, frames, 128)).astype(dtype)


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f4"])
def test_clips_are_read_with_their_labels(tmp_path: Path, dtype: str) -> None:
    values = log_mel(dtype=dtype)
    path = tmp_path / "x.npz"
    np.savez_compressed(
        path, log_mel_db=values, machine_id=["01", "01", "02"], anomalous=[False, True, False], name=[b"a", b"b", b"c"]
    )
    clips = LogMelClips(path)
    assert (len(clips), clips.frames, clips.machine_ids) == (3, 20, ("01", "01", "02"))
    for _ in range(2):  # any number of times
        read = list(clips)
        assert [(c.index, c.machine_id, c.anomalous, c.name) for c in read] == [
            (0, "01", False, "a"),
            (1, "01", True, "b"),
            (2, "02", False, "c"),
        ]
        for clip, value in zip(read, values, strict=True):
            assert clip.log_mel_db.dtype == np.float32
            np.testing.assert_array_equal(clip.log_mel_db, value.astype(np.float32))


def test_labels_are_optional(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", log_mel_db=log_mel(1), other=np.arange(5))
    (clip,) = LogMelClips(tmp_path / "x.npz")
    assert (clip.name, clip.machine_id, clip.anomalous) == (None, None, None)


def with_value(value: float) -> np.ndarray:
    values = log_mel(dtype=np.float32)
    values[1, 7, 100] = value
    return values


BAD_ARRAYS: dict[str, tuple[dict[str, Any], str]] = {
    "no log mel": ({"spectrum": log_mel()}, "has no array log_mel_db .it holds spectrum"),
    "two axes": ({"log_mel_db": log_mel()[0]}, "must be .clips, frames, 128"),
    "64 bands": ({"log_mel_db": log_mel()[:, :, :64]}, "must be .clips, frames, 128"),
    "no clips": ({"log_mel_db": log_mel()[:0]}, "a file holds"),
    "no frames": ({"log_mel_db": log_mel()[:, :0]}, "a file holds"),
    "integers": ({"log_mel_db": log_mel().astype(np.int16)}, "is int16"),
    "complex": ({"log_mel_db": log_mel().astype(np.complex64)}, "is complex64"),
    "pickle": ({"log_mel_db": log_mel().astype(object)}, "pickled"),
    "pickle beside": ({"log_mel_db": log_mel(), "machine_id": np.array(["1", 2, None], object)}, "pickled"),
    "column by column": ({"log_mel_db": np.asfortranarray(log_mel())}, "column by column"),
    "nan": ({"log_mel_db": with_value(np.nan)}, "value nan in clip 1, frame 7, band 100"),
    "infinite": ({"log_mel_db": with_value(np.inf)}, "value inf in clip 1"),
    "no decibels": ({"log_mel_db": with_value(1e9)}, "decibels are finite"),
    "labels of other clips": ({"log_mel_db": log_mel(), "machine_id": ["1", "2"]}, "one per clip"),
    "no truth": ({"log_mel_db": log_mel(), "anomalous": [0, 1, 2]}, "not true or false"),
    "no text": ({"log_mel_db": log_mel(), "name": [0.5, 1, 2]}, "must be text"),
    "broken text": ({"log_mel_db": log_mel(), "name": [b"\xff", b"", b""]}, "no sound .npz"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_wrong_arrays_are_refused_in_one_line(tmp_path: Path, case: str) -> None:
    arrays, message = BAD_ARRAYS[case]
    path = tmp_path / "x.npz"
    np.savez_compressed(path, **arrays)
    with pytest.raises(InputError, match=message) as caught:
        LogMelClips(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def npy(shape: tuple[int, ...], data: bytes) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f2", "fortran_order": False, "shape": shape})
    return buffer.getvalue() + data


BAD_MEMBERS = {
    "header promises terabytes": (npy((10**6, 10**5, 128), bytes(100)), "but holds 100 bytes"),
    "negative shape": (npy((-1, -1, 128), bytes(256)), "but holds 256 bytes|no sound"),
    "no npy": (b"hello", "no sound .npz"),
    "code in the header": (b"\x93NUMPY\x01\x00\x10\x00__import__('os')", "no sound .npz"),
}


@pytest.mark.parametrize("case", BAD_MEMBERS)
def test_hostile_members_are_refused(tmp_path: Path, case: str) -> None:
    content, message = BAD_MEMBERS[case]
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("log_mel_db.npy", content)
    with pytest.raises(InputError, match=message):
        LogMelClips(tmp_path / "x.npz")


def test_archive_that_unpacks_to_too_much_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_agent.capture.log_mel_clips.MAX_BYTES", 1_000_000)
    np.savez_compressed(tmp_path / "x.npz", log_mel_db=np.zeros((100, 100, 128), np.float16))
    assert (tmp_path / "x.npz").stat().st_size < 10_000
    with pytest.raises(InputError, match=r"unpacks to 25\d+ bytes, more than 1000000"):
        LogMelClips(tmp_path / "x.npz")


@pytest.mark.parametrize("harm", ["text", "cut", "flipped"])
def test_damaged_archive_is_refused(tmp_path: Path, harm: str) -> None:
    path = tmp_path / "x.npz"
    np.savez_compressed(path, log_mel_db=log_mel())
    data = bytearray(path.read_bytes())
    if harm == "text":
        data = bytearray(b"not a zip")
    elif harm == "cut":
        del data[len(data) // 2 :]
    else:
        data[len(data) // 2] ^= 0x55
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"no sound \.npz|log_mel_db"):
        LogMelClips(path)


@pytest.mark.data
def test_real_file_reads() -> None:
    root = Path(os.environ.get("MACHINE_SOUND_DATA", Path(__file__).parents[2] / "../shared/data"))
    path = root / "toycar_logmel" / "ids_01_02_03.npz"
    if not path.exists():
        pytest.skip(f"no recordings at {root} (MACHINE_SOUND_DATA)")
    clips = list(LogMelClips(path))
    assert len(clips) == 206
    assert clips[0].log_mel_db.shape == (200, 128)
    assert {clip.machine_id for clip in clips} == {"01", "02", "03"}
