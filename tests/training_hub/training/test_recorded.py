from pathlib import Path

import numpy as np
import pytest
import soundfile

from training_hub.training.errors import TrainingError
from training_hub.training.feature_cache import FeatureCache
from training_hub.training.recorded import is_clean, load_recorded, read_mono

HEADER = "file,machine_type,machine_id,condition,group,licence\n"


def write_set(root: Path, *rows: str) -> Path:
    for k in range(3):
        audio = np.random.default_rng(k).normal(0, 0.1, 48_000).astype(np.float32)
        soundfile.write(root / f"{k}.wav", audio, 16_000)
    manifest = root / "manifest.csv"
    manifest.write_text(HEADER + "".join(row + "\n" for row in rows))
    return manifest


ROWS = ("0.wav,fan,f1,normal,g0,MIT (x)", "1.wav,fan,f2,normal,g1,CC BY-NC 3.0", "2.wav,fan,f3,anomaly,g2,none stated")


def test_the_clean_mix_leaves_out_what_may_not_be_shipped(tmp_path: Path) -> None:
    manifest, cache = write_set(tmp_path, *ROWS), FeatureCache(tmp_path / "cache")
    assert [r.machine_id for r in load_recorded(manifest, cache, clean_only=True)] == ["f1"]
    assert [r.machine_id for r in load_recorded(manifest, cache, clean_only=False)] == ["f1", "f2", "f3"]


def test_features_come_from_the_cache_the_second_time(tmp_path: Path) -> None:
    manifest, cache = write_set(tmp_path, *ROWS), FeatureCache(tmp_path / "cache")
    first = load_recorded(manifest, cache, clean_only=False)
    again = FeatureCache(tmp_path / "cache")
    second = load_recorded(manifest, again, clean_only=False)
    assert (again.hits, again.misses) == (3, 0)
    for before, after in zip(first, second, strict=True):
        assert before.log_mel_db.dtype == np.float16
        np.testing.assert_array_equal(before.log_mel_db, after.log_mel_db)


def test_a_file_that_changed_is_computed_again(tmp_path: Path) -> None:
    manifest, cache = write_set(tmp_path, ROWS[0]), FeatureCache(tmp_path / "cache")
    load_recorded(manifest, cache, clean_only=False)
    soundfile.write(tmp_path / "0.wav", np.zeros(40_000, np.float32), 16_000)
    assert len(load_recorded(manifest, cache, clean_only=False)[0].log_mel_db) == (40_000 - 1024) // 512 + 1


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("../../etc/passwd,fan,f1,normal,g0,MIT", "outside"),
        ("/etc/passwd,fan,f1,normal,g0,MIT", "outside"),
        ("absent.wav,fan,f1,normal,g0,MIT", r"absent\.wav"),
        ("manifest.csv,fan,f1,normal,g0,MIT", "give WAV or FLAC"),
    ],
)
def test_hostile_rows_are_refused(tmp_path: Path, row: str, message: str) -> None:
    manifest = write_set(tmp_path, row)
    with pytest.raises(TrainingError, match=message):
        load_recorded(manifest, FeatureCache(tmp_path / "cache"), clean_only=False)


def test_a_missing_column_and_a_missing_file_are_named(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("file,machine_id\n")
    with pytest.raises(TrainingError, match="no column machine_type, condition, group, licence"):
        load_recorded(tmp_path / "m.csv", FeatureCache(tmp_path / "cache"), clean_only=False)
    with pytest.raises(TrainingError, match=r"absent\.csv"):
        load_recorded(tmp_path / "absent.csv", FeatureCache(tmp_path / "cache"), clean_only=False)


def test_other_rates_are_resampled_and_only_the_first_channel_is_read(tmp_path: Path) -> None:
    time_s = np.arange(96_000) / 48_000
    stereo = np.stack([np.sin(2 * np.pi * 440 * time_s), np.zeros_like(time_s)], axis=1)
    soundfile.write(tmp_path / "x.wav", stereo.astype(np.float32), 48_000, subtype="FLOAT")
    samples = read_mono(tmp_path / "x.wav", 16_000)
    assert len(samples) == pytest.approx(32_000, abs=50)
    assert np.abs(np.fft.rfft(samples[:16_000])).argmax() == 440


@pytest.mark.parametrize(
    ("licence", "clean"),
    [
        ("MIT", True),
        ("CC BY 4.0", True),
        ("CC BY-SA 4.0", False),
        ("CC BY-NC 4.0", False),
        ("", False),
        ("none", False),
    ],
)
def test_licences(licence: str, clean: bool) -> None:
    assert is_clean(licence) is clean
