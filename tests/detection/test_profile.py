import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_agent.detection.embedding import MAX_BANK
from edge_agent.detection.errors import DetectionError
from edge_agent.detection.likeness import MAX_ROWS
from edge_agent.detection.profile import MAX_PROFILE_BYTES, Profile, short_name
from edge_agent.detection.scorer import MachineScorer
from tests.detection import sounds

MAX_BYTES = 100_000


def test_saved_and_loaded_profiles_score_the_same_bits(profile: Profile, tmp_path: Path) -> None:
    profile.save(tmp_path / "fan_1.npz")
    loaded = Profile.load(tmp_path / "fan_1.npz")
    assert loaded.to_bytes() == profile.to_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["fan_1.npz"]
    one, two = MachineScorer(profile, sounds.prior()), MachineScorer(loaded, sounds.prior())
    for seed in range(5):
        assert one.score(sounds.window(seed)) == two.score(sounds.window(seed))


def test_metadata_survives(profile: Profile) -> None:
    loaded = Profile.from_bytes(profile.to_bytes(), name="x")
    for name in (
        "machine_id",
        "machine_type",
        "bundle",
        "created_ns",
        "clips",
        "budget",
        "threshold",
        "expected",
        "baseline",
    ):
        assert getattr(loaded, name) == getattr(profile, name), name


def test_the_largest_profile_stays_small(profile: Profile) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "embedding.bank": _unit_rows(rng, MAX_BANK),
        "likeness.bank": _unit_rows(rng, MAX_ROWS),
        "transient.precision": rng.normal(size=64 * 65 // 2).astype(np.float32),
        "embedding.density": rng.random(128).astype(np.float32),
    }
    clips = tuple(f"{rng.integers(1 << 60)}" + "x" * 60 for _ in range(200))
    noisy = replace(profile, clips=clips, exemplars=rng.normal(size=(16, 128)).astype(np.float16))
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(noisy.to_bytes())) as archive:
        kept = {n.filename[:-4]: np.load(archive.open(n), allow_pickle=False) for n in archive.infolist()}
    np.savez_compressed(buffer, allow_pickle=False, **{**kept, **arrays})
    assert len(buffer.getvalue()) < MAX_BYTES


def _unit_rows(rng: np.random.Generator, count: int) -> np.ndarray:
    rows = rng.normal(size=(count, 128))
    return np.rint(127.0 * rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.int8)


def test_a_killed_save_leaves_the_old_profile(
    profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "fan_1.npz"
    profile.save(path)
    before = path.read_bytes()

    def cut(*_: object) -> None:
        raise OSError("power cut")

    monkeypatch.setattr("os.replace", cut)
    with pytest.raises(OSError, match="power cut"):
        replace(profile, threshold=9.0).save(path)
    assert path.read_bytes() == before


def rewritten(profile: Profile, change: dict[str, object]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(profile.to_bytes())) as archive:
        arrays = {n.filename[:-4]: np.load(archive.open(n), allow_pickle=False) for n in archive.infolist()}
    metadata = json.loads(arrays["metadata"].tobytes()) | change
    arrays["metadata"] = np.frombuffer(json.dumps(metadata).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"threshold": -1.0}, "threshold"),
        ({"machine_id": "../../etc/passwd"}, "machine_id"),
        ({"surprise": 1}, "surprise"),
        ({"clips": ["a"]}, "exemplars do not match"),
        ({"format": 1}, "format"),
        ({"states": []}, "states"),
        ({"states": [{"name": None, "windows": 1, "tail": None}] * 2}, "2 operating states with 1 spectra"),
        ({"states": [{"name": "../x", "windows": 1, "tail": None}]}, "states"),
        ({"correlation": float("nan")}, "metadata"),
    ],
)
def test_hostile_metadata_is_refused(profile: Profile, change: dict[str, object], message: str) -> None:
    with pytest.raises(DetectionError, match=message):
        Profile.from_bytes(rewritten(profile, change), name="p.npz")


def test_an_unknown_detector_is_refused(profile: Profile) -> None:
    metadata = json.loads(np.load(io.BytesIO(profile.to_bytes()), allow_pickle=False)["metadata"].tobytes())
    metadata["members"][0]["detector"] = "psychic"
    with pytest.raises(DetectionError, match=r"psychic.*update"):
        Profile.from_bytes(rewritten(profile, {"members": metadata["members"]}), name="p.npz")


@pytest.mark.parametrize(
    "content", [b"", b"not a zip", b"PK\x03\x04" + bytes(50), bytes(MAX_PROFILE_BYTES + 1)], ids=range(4)
)
def test_what_is_no_profile_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    path.write_bytes(content)
    with pytest.raises(DetectionError, match=r"p\.npz"):
        Profile.load(path)


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    np.savez(path, metadata=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DetectionError, match=r"pickled|damaged"):
        Profile.load(path)


def test_a_missing_file_and_a_directory_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DetectionError, match="commission the machine first"):
        Profile.load(tmp_path / "none.npz")
    with pytest.raises(DetectionError):
        Profile.load(tmp_path)


def test_another_prior_is_refused(profile: Profile) -> None:
    with pytest.raises(DetectionError, match="another version of type"):
        MachineScorer(profile, sounds.prior(shape=1.0))


def test_long_names_keep_their_end() -> None:
    assert short_name("a.wav") == "a.wav"
    assert short_name("d/" * 100 + "clip.wav").endswith("clip.wav") and len(short_name("x" * 500)) == 120
