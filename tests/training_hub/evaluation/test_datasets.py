from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.training_hub.evaluation.test_clips import clip
from training_hub.evaluation.datasets import from_clips, load_data
from training_hub.evaluation.errors import EvaluationError

HEADER = "file,machine_type,machine_id,condition,group,licence\n"


def write_npz(path: Path, **changes: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {
        "log_mel_db": np.zeros((4, 100, 128), np.float16),
        "machine_id": np.array(["1", "1", "1", "2"]),
        "anomalous": np.array([False, True, False, False]),
    }
    np.savez(path, **{key: value for key, value in (arrays | changes).items() if value is not None})  # type: ignore[arg-type]
    return path


def test_recordings_and_frames_are_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", np.full(16_000, 0.25, np.float32), 16_000)
    (tmp_path / "manifest.csv").write_text(HEADER + "a.flac,pump,p1,normal,g1,MIT\n")
    write_npz(tmp_path / "toycar_logmel" / "ids.npz")
    data = load_data(tmp_path)
    assert [(m.machine_type, m.machine_id, len(m.normals), len(m.anomalies)) for m in data.machines] == [
        ("pump", "p1", 1, 0), ("toycar", "1", 2, 1), ("toycar", "2", 1, 0),
    ]  # fmt: skip
    read = data.machines[0].normals[0].read_audio
    assert read is not None
    assert read().shape == (16_000,)
    assert [m.machine_id for m in data.siblings(data.machines[1])] == ["2"]


FLAWS = {
    "empty directory": (lambda root: None, "neither a manifest"),
    "no labels": (lambda root: write_npz(root / "x.npz", anomalous=None), "no array 'anomalous'"),
    "other bands": (lambda root: write_npz(root / "x.npz", log_mel_db=np.zeros((4, 9, 64), np.float16)), "expected"),
    "other count": (lambda root: write_npz(root / "x.npz", anomalous=np.zeros(3, bool)), "4 clips"),
    "not finite": (lambda root: write_npz(root / "x.npz", log_mel_db=np.full((4, 9, 128), np.nan)), "NaN"),
    "no zip": (lambda root: (root / "x.npz").write_bytes(b"no"), "damaged"),
    "column missing": (lambda root: (root / "manifest.csv").write_text("file\n"), "no column"),
    "outside": (
        lambda root: (root / "manifest.csv").write_text(HEADER + "../../etc/passwd,a,b,normal,g,MIT\n"),
        "outside",
    ),
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_flaw_is_named(tmp_path: Path, flaw: str) -> None:
    make, message = FLAWS[flaw]
    make(tmp_path)
    with pytest.raises(EvaluationError, match=message):
        load_data(tmp_path)


def test_a_name_may_stand_once() -> None:
    with pytest.raises(EvaluationError, match="twice"):
        from_clips("x", [clip("a", "1"), clip("a", "2")])
