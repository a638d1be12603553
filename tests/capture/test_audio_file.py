from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_agent.capture import audio_file
from edge_agent.capture.audio_file import AudioFile
from edge_agent.capture.files import InputError
from edge_agent.capture.plain_wav import HEADER_BYTES, plain_wav
from edge_agent.capture.replay import FileSource
from edge_agent.capture.source import SourceError
from tests.capture.conftest import WriteSound, noise


@pytest.fixture(params=["kept", "streamed"])
def storage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways that a file is held: whole in memory, or read again after a scan."""
    if request.param == "streamed":
        monkeypatch.setattr(audio_file, "MEMORY_SAMPLES", 0)
        monkeypatch.setattr(audio_file, "_SCAN_SAMPLES", 1000)


@pytest.mark.parametrize(
    ("name", "arguments", "tolerance"),
    [
        ("pcm8.wav", {"subtype": "PCM_U8"}, 2**-6),
        ("pcm16.wav", {"subtype": "PCM_16"}, 0),
        ("pcm24.wav", {"subtype": "PCM_24"}, 0),
        ("pcm32.wav", {"subtype": "PCM_32"}, 0),
        ("float.wav", {"subtype": "FLOAT"}, 0),
        ("double.wav", {"subtype": "DOUBLE"}, 0),
        ("extensible.wav", {"format": "WAVEX", "subtype": "PCM_24"}, 0),
        ("big.wav", {"format": "RF64", "subtype": "PCM_16"}, 0),
        ("sony.w64", {"format": "W64", "subtype": "PCM_16"}, 0),
        ("sixteen.flac", {"subtype": "PCM_16"}, 0),
        ("twentyfour.flac", {"subtype": "PCM_24"}, 0),
        ("misnamed.txt", {"format": "WAV"}, 0),
    ],
)
@pytest.mark.usefixtures("storage")
def test_every_format_reads_the_same_samples(
    write_sound: WriteSound, name: str, arguments: dict[str, str], tolerance: float
) -> None:
    file = AudioFile(write_sound(name, frames=4000, channels=2, rate_hz=44_100, **arguments))
    assert (file.rate_hz, file.channels, file.frames) == (44_100, 2, 4000)
    samples = np.concatenate([file.read(0, 1500), file.read(1500, 2500)])
    np.testing.assert_allclose(samples, noise(4000, 2), rtol=0, atol=tolerance)
    file.close()


def cut(path: Path, keep: float) -> Path:
    os.truncate(path, int(path.stat().st_size * keep))
    return path


def patched(path: Path, offset: int, value: bytes) -> Path:
    data = bytearray(path.read_bytes())
    data[offset : offset + len(value)] = value
    path.write_bytes(data)
    return path


def float_wav(path: Path, value: float) -> Path:
    samples = noise(4000)
    samples[1234] = value
    soundfile.write(path, samples, 16_000, subtype="FLOAT")
    return path


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


BAD: dict[str, tuple[Callable[[WriteSound, Path], Path], str]] = {
    "missing": (lambda write, tmp: tmp / "gone.wav", "cannot be opened"),
    "directory": (lambda write, tmp: tmp, "regular file|cannot be opened"),
    "device": (lambda write, tmp: Path("/dev/zero"), "not a regular file"),
    "empty": (lambda write, tmp: written(tmp / "x.wav", b""), "is empty"),
    "text": (lambda write, tmp: written(tmp / "x.wav", b"time,level\n1,2\n" * 99), "no WAV or FLAC"),
    "mp3 in name only": (lambda write, tmp: written(tmp / "x.wav", b"ID3\x04" + bytes(999)), "no WAV or FLAC"),
    "only a header": (lambda write, tmp: written(tmp / "x.wav", b"RIFF\x24\0\0\0WAVE"), "no data chunk"),
    "no samples": (lambda write, tmp: write("x.wav", frames=0), "holds no samples"),
    "wav cut short": (lambda write, tmp: cut(write("x.wav"), 0.5), "cut short: .* bytes"),
    "rf64 cut short": (lambda write, tmp: cut(write("x.wav", format="RF64"), 0.5), "cut short: .* bytes"),
    "w64 cut short": (lambda write, tmp: cut(write("x.w64"), 0.5), "cut short: .* bytes"),
    "flac cut short": (lambda write, tmp: cut(write("x.flac"), 0.5), "cut short"),
    "flac damaged": (lambda write, tmp: patched(write("x.flac", frames=40_000), 20_000, b"\xff" * 99), "damaged"),
    "flac head only": (lambda write, tmp: cut(write("x.flac"), 0.01), "decoded|damaged|samples"),
    "size without end": (lambda write, tmp: patched(write("x.wav"), 40, b"\xff" * 4), "cut short"),
    "3 Hz": (lambda write, tmp: patched(write("x.wav"), 24, struct.pack("<I", 3)), "sample rate of 3 Hz"),
    "10 MHz": (lambda write, tmp: patched(write("x.wav"), 24, struct.pack("<I", 10_000_000)), "10000000 Hz"),
    "64 channels": (lambda write, tmp: write("x.wav", frames=10, channels=64), "64 channels"),
    "adpcm": (lambda write, tmp: write("x.wav", subtype="MS_ADPCM"), "MS_ADPCM"),
    "nan": (lambda write, tmp: float_wav(tmp / "x.wav", np.nan), "value nan at 1234 in channel 0"),
    "infinite": (lambda write, tmp: float_wav(tmp / "x.wav", -np.inf), "value -inf at 1234"),
    "not scaled": (lambda write, tmp: float_wav(tmp / "x.wav", 32767), "32767.*full scale is 1.0"),
    "aiff": (lambda write, tmp: write("x.aiff"), "no WAV or FLAC"),
}


@pytest.mark.usefixtures("storage")
@pytest.mark.parametrize("case", BAD)
def test_bad_file_is_refused_in_one_line_before_anything_comes_of_it(
    write_sound: WriteSound, tmp_path: Path, case: str
) -> None:
    make, message = BAD[case]
    path = make(write_sound, tmp_path)
    open_files = len(os.listdir("/proc/self/fd"))
    with pytest.raises(InputError, match=message) as caught:
        FileSource(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    del caught
    assert len(os.listdir("/proc/self/fd")) <= open_files


def test_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.wav")
    with pytest.raises(InputError, match="not a regular file"):
        AudioFile(tmp_path / "x.wav")


def test_too_long_is_refused(write_sound: WriteSound, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio_file, "MAX_DURATION_S", 3600)
    with pytest.raises(InputError, match="longer than 1 hours"):
        AudioFile(write_sound("x.flac", frames=8000 * 3601, rate_hz=8000))


def test_file_cut_while_it_is_streamed_is_an_error(write_sound: WriteSound, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio_file, "MEMORY_SAMPLES", 0)
    path = write_sound("x.wav", frames=100_000)
    file = AudioFile(path)
    cut(path, 0.5)
    with pytest.raises(SourceError, match="ended at sample"):
        file.read(40_000, 60_000)


@pytest.mark.parametrize("frames", [4_001, 40_000, 300_000], ids=["a piece", "several pieces", "kept as words"])
@pytest.mark.parametrize("channels", [1, 3])
def test_plain_wav_is_read_as_libsndfile_reads_it(
    write_sound: WriteSound, monkeypatch: pytest.MonkeyPatch, channels: int, frames: int
) -> None:
    path = write_sound("x.wav", frames=frames, channels=channels, rate_hz=22_050, subtype="PCM_16")
    expected, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    monkeypatch.setattr(audio_file, "_open_soundfile", None)  # it is not asked
    file = AudioFile(path)
    assert (file.rate_hz, file.channels, file.frames) == (rate_hz, channels, frames)
    np.testing.assert_array_equal(file.read(0, frames), expected)
    file.close()
    with pytest.raises(SourceError, match="is closed"):
        file.read(0, 1)


@pytest.mark.parametrize(
    ("offset", "value"),
    [
        (4, b"\0\0\0\0"),
        (16, b"\x12"),
        (20, b"\x03"),
        (22, b"\0\0"),
        (28, b"\1"),
        (32, b"\4"),
        (34, b"\x18"),
        (40, b"\2"),
    ],
)
def test_header_whose_numbers_disagree_is_left_to_libsndfile(
    write_sound: WriteSound, offset: int, value: bytes
) -> None:
    path = write_sound("x.wav", frames=100, subtype="PCM_16")
    assert plain_wav(path.read_bytes()[:HEADER_BYTES], path.stat().st_size) is not None
    damaged = patched(path, offset, value)
    assert plain_wav(damaged.read_bytes()[:HEADER_BYTES], damaged.stat().st_size) is None


@pytest.mark.parametrize(("frames", "left"), [(4_000, 1_989), (100_000, 49_989), (300_000, 149_989)])
def test_plain_wav_that_shrinks_while_it_is_read_is_refused(
    write_sound: WriteSound, monkeypatch: pytest.MonkeyPatch, frames: int, left: int
) -> None:
    path = write_sound("x.wav", frames=frames, subtype="PCM_16")
    known = plain_wav(path.read_bytes()[:HEADER_BYTES], path.stat().st_size)
    cut(path, 0.5)
    monkeypatch.setattr(audio_file, "plain_wav", lambda head, size_bytes: known)
    with pytest.raises(InputError, match=f"ends after {left} of {frames} samples"):
        AudioFile(path)
