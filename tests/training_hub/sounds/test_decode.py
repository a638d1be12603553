"""Any sound people bring, and none that does harm."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support.hub_clips import hum
from training_hub.sounds.cut import WINDOW_SAMPLES, fit_window
from training_hub.sounds.decode import Decoded, decode
from training_hub.sounds.errors import Refusal, SoundError


def _decoded(path: Path, **changes: object) -> Decoded:
    wanted: dict[str, object] = {"longest_s": 10.0, "timeout_s": 20.0, "cut": True, **changes}
    return decode(path, **wanted)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
def test_every_format_becomes_the_same_sound(kind: str, tmp_path: Path) -> None:
    sound = hum(3.0, 44_100)
    path = tmp_path / f"sound.{kind.lower()}"
    soundfile.write(path, np.stack([sound, sound], axis=1), 44_100, format=kind)
    found = _decoded(path)
    assert (found.facts.format, found.facts.rate_hz, found.facts.channels) == (kind, 44_100, 2)
    assert found.facts.duration_s == pytest.approx(3.0, abs=0.1)
    assert len(found.samples) == pytest.approx(48_000, abs=1600)
    spectrum = np.abs(np.fft.rfft(found.samples[:32_000].astype(float)))
    assert np.argmax(spectrum[10:]) + 10 == pytest.approx(240, abs=2)  # 120 Hz in 2 s


def test_a_16_khz_file_is_not_changed(tmp_path: Path) -> None:
    samples = (hum(2.0) * 32_768).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype="PCM_16")
    assert np.array_equal(_decoded(tmp_path / "a.wav").samples, samples)


def test_a_long_sound_is_cut_where_asked_and_refused_where_not(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", hum(14.0, 8000), 8000)
    found = _decoded(tmp_path / "a.wav", start_s=3.0)
    assert len(found.samples) == WINDOW_SAMPLES
    fitted = fit_window(found, start_s=3.0)
    assert "cut to 3.0-13.0 s of 14.0 s" in fitted.done
    with pytest.raises(SoundError, match="14 s; at most 10 s"):
        _decoded(tmp_path / "a.wav", cut=False)


def test_a_short_sound_is_mirrored_not_padded_with_silence(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", hum(1.5), 16_000)
    fitted = fit_window(_decoded(tmp_path / "a.wav"))
    assert fitted.samples.shape == (WINDOW_SAMPLES,)
    assert fitted.heard_s == 1.5
    assert any("mirrored" in words for words in fitted.done)
    last_second = fitted.samples[-16_000:]
    assert np.sqrt(np.mean(last_second**2)) > 0.02


def _with(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _header(*, channels: int = 1, rate_hz: int = 16_000, promised: int, kind: int = 1, bits: int = 16) -> bytes:
    width = channels * bits // 8
    return (
        struct.pack("<4sI4s4sIHHIIHH", b"RIFF", (36 + promised) & 0xFFFFFFFF, b"WAVE", b"fmt ", 16, kind, channels,
                    rate_hz, rate_hz * width, width, bits)
        + struct.pack("<4sI", b"data", promised)
    )  # fmt: skip


def test_what_is_no_sound_is_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, 20_000).astype(np.uint8).tobytes()
    nan = np.full(16_000, np.nan, "<f4").tobytes()
    loud = np.full(16_000, 1e20, "<f4").tobytes()
    cases = {
        "noise": (noise, Refusal.FORMAT),
        "text": (b"hello, world\n" * 100, Refusal.FORMAT),
        "empty wav": (_header(promised=0), Refusal.LIMITS),
        "rate": (_header(rate_hz=400_000, promised=2000) + bytes(2000), Refusal.LIMITS),
        "low rate": (_header(rate_hz=100, promised=2000) + bytes(2000), Refusal.LIMITS),
        "channels": (_header(channels=200, promised=4000) + bytes(4000), Refusal.LIMITS),
        "nan": (_header(kind=3, bits=32, promised=len(nan)) + nan, Refusal.DAMAGED),
        "loud": (_header(kind=3, bits=32, promised=len(loud)) + loud, Refusal.DAMAGED),
    }
    for name, (content, refusal) in cases.items():
        with pytest.raises(SoundError) as caught:
            _decoded(_with(tmp_path / "x", content))
        assert caught.value.refusal is refusal, (name, str(caught.value))


def test_a_format_beside_the_four_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.aiff", hum(1.0), 16_000, format="AIFF")
    with pytest.raises(SoundError, match="AIFF") as caught:
        _decoded(tmp_path / "a.aiff")
    assert caught.value.refusal is Refusal.FORMAT


@pytest.fixture(scope="module")
def bomb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Silence of six hours: some hundred kilobytes of FLAC, hundreds of megabytes of samples."""
    path = tmp_path_factory.mktemp("bomb") / "bomb.flac"
    with soundfile.SoundFile(path, "w", 8000, 1, format="FLAC") as file:
        hour = np.zeros(8000 * 3600, np.int16)
        for _ in range(6):
            file.write(hour)
    assert path.stat().st_size < 2_000_000
    return path


def test_hours_in_a_few_bytes_are_not_unpacked(bomb: Path) -> None:
    with pytest.raises(SoundError) as caught:
        _decoded(bomb, longest_s=1800.0, cut=False)
    assert caught.value.refusal is Refusal.LIMITS
    assert len(_decoded(bomb).samples) == WINDOW_SAMPLES


def test_a_decoder_that_takes_too_long_is_ended(bomb: Path) -> None:
    with pytest.raises(SoundError):
        _decoded(bomb, start_s=21_590.0, timeout_s=1.0)


def test_damage_anywhere_never_crashes_the_hub(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for kind in ("OGG", "MP3"):
        soundfile.write(tmp_path / "a", hum(1.0), 16_000, format=kind)
        whole = bytearray((tmp_path / "a").read_bytes())
        for at in rng.integers(0, len(whole), 200):
            whole[at] = int(rng.integers(0, 256))
        try:
            found = _decoded(_with(tmp_path / "b", bytes(whole)))
        except SoundError:
            continue
        assert len(found.samples) <= WINDOW_SAMPLES
