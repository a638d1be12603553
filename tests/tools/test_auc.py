"""The tool that judges a replay: against scikit-learn, and on every kind of labels."""

import csv
import io
import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

TOOL = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "auc.py"))
auc, main = TOOL["auc"], TOOL["main"]

scores = st.lists(st.integers(-20, 20).map(lambda tenths: tenths / 10), min_size=1, max_size=40)


@settings(deadline=None)  # the first call imports what it needs
@given(normal=scores, anomalous=scores, max_fpr=st.sampled_from([1.0, 0.1, 0.25]))
def test_equals_scikit_learn(normal: list[float], anomalous: list[float], max_fpr: float) -> None:
    truth = [0] * len(normal) + [1] * len(anomalous)
    expected = roc_auc_score(truth, normal + anomalous, max_fpr=None if max_fpr == 1.0 else max_fpr)
    assert auc(normal, anomalous, max_fpr=max_fpr) == pytest.approx(expected, abs=1e-12)


def _results(path: Path, rows: list[tuple[str, int | None, float | None]]) -> Path:
    lines = [
        json.dumps({"data": {"file": file, "clip": clip, "anomaly": None if score is None else {"score": score}}})
        for file, clip, score in rows
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


ROWS = [("/d/normal/a.wav", None, 1.0), ("/d/normal/a.wav", None, 3.0), ("/d/bad/b.wav", None, 2.5)]


def test_labels_by_path_and_windows_of_a_recording_are_averaged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(_results(tmp_path / "r.jsonl", ROWS))]) == 0
    assert capsys.readouterr().out.startswith("AUC 1.0000  pAUC(0.1) 1.0000  1 normal, 1 anomalous")


def test_labels_from_csv_match_the_end_of_the_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([("file", "condition"), ("normal/a.wav", "anomaly"), ("bad/b.wav", "normal")])
    (tmp_path / "m.csv").write_text(text.getvalue(), encoding="utf-8")
    assert main([str(_results(tmp_path / "r.jsonl", ROWS)), "--labels", str(tmp_path / "m.csv")]) == 0
    assert capsys.readouterr().out.startswith("AUC 0.0000")


def test_labels_from_npz_match_the_clip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "c.npz", anomalous=np.array([0, 1, 1]))
    results = _results(tmp_path / "r.jsonl", [("c.npz", 0, 1.0), ("c.npz", 1, 2.0), ("c.npz", 2, None)])
    assert main([str(results), "--labels", str(tmp_path / "c.npz")]) == 0
    assert "1 normal, 1 anomalous" in capsys.readouterr().out


def test_one_machine_of_several(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "c.npz", anomalous=np.array([0, 1, 0, 1]), machine_id=np.array(["a", "a", "b", "b"]))
    results = _results(
        tmp_path / "r.jsonl", [("c.npz", clip, score) for clip, score in enumerate((1.0, 2.0, 9.0, 3.0))]
    )
    for machine, expected in (("a", "AUC 1.0000"), ("b", "AUC 0.0000")):
        assert main([str(results), "--labels", str(tmp_path / "c.npz"), "--machine", machine]) == 0
        assert capsys.readouterr().out.startswith(expected)
    assert main([str(results), "--machine", "a"]) == 1
    assert "--machine needs labels from an .npz" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("rows", "labels", "says"),
    [
        ([("/normal/a.wav", None, 1.0)], "path", "1 normal and 0 anomalous recordings"),
        ([("/normal/a.wav", None, 1.0)], "none.csv", "none.csv"),
        ([("c.npz", 7, 1.0)], "c.npz", "c.npz: clip 7 has no label"),
    ],
    ids=["one kind only", "no labels", "unknown clip"],
)
def test_refusals(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    rows: list[tuple[str, int | None, float | None]],
    labels: str,
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "c.npz", anomalous=np.array([0, 1]))
    assert main([str(_results(tmp_path / "r.jsonl", rows)), "--labels", labels]) == 1
    assert says in capsys.readouterr().err
