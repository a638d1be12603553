"""The whole evaluation on simulated machines: every protocol, report, page and command."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from edge_agent.inference.bundle import Bundle
from tests.training_hub.evaluation.test_report import assert_self_contained
from training_hub import cli
from training_hub.evaluation import context
from training_hub.evaluation.datasets import EvalData
from training_hub.evaluation.errors import EvaluationError
from training_hub.evaluation.page import render, write_page
from training_hub.evaluation.protocols import noise
from training_hub.evaluation.protocols.catalogue import PROTOCOLS
from training_hub.evaluation.report import Report
from training_hub.evaluation.run import Options, evaluate

TINY = replace(context.QUICK, draws=1, stream_h=0.05, stream_pieces=20, rounds=20, snrs_db=(0.0,), clips_per_machine=8)


@pytest.fixture(scope="module")
def bundle(data: EvalData, make_bundle: Callable[[EvalData], Bundle]) -> Bundle:
    return make_bundle(data)


@pytest.fixture(scope="module")
def report(data: EvalData, bundle: Bundle) -> Report:
    patch = pytest.MonkeyPatch()
    patch.setattr("training_hub.evaluation.run.QUICK", TINY)
    patch.setattr(noise, "MACHINE_TYPES", ("fan",))
    skip_slow = Options(quick=True, seed=5, notes="<tried> nothing & more")
    try:
        return evaluate(bundle, data, skip_slow)
    finally:
        patch.undo()


def test_every_protocol_says_something(report: Report) -> None:
    spoken = {row.protocol for row in report.rows}
    assert spoken == set(PROTOCOLS) - {"gallery", "int8_vs_float"}
    assert {skipped.what for skipped in report.skipped} >= {"int8_vs_float"}
    assert report.scatter
    assert report.examples


def test_a_fault_that_anybody_hears_is_found(report: Report) -> None:
    rows = [r for r in report.rows if r.protocol == "first_shot" and r.system == "ours"]
    assert [row.machine_id for row in rows] == ["fan_0"]
    area = rows[0].figure("auc")
    assert area is not None
    assert area > 0.8


def test_gain_changes_nothing_for_us_and_something_for_loudness(report: Report) -> None:
    changes = [
        abs(row.figure("auc_change") or 0.0)
        for row in report.rows
        if row.protocol == "robustness" and row.case.startswith("gain") and row.system == "ours"
        if row.figure("auc_change") is not None
    ]
    assert changes
    assert max(changes) < 0.005


def test_the_report_is_the_same_when_read_again(report: Report, tmp_path: Path) -> None:
    assert Report.read(report.write(tmp_path)) == report


def test_the_page_stands_alone_and_escapes(report: Report, tmp_path: Path) -> None:
    page = write_page(report, tmp_path).read_text()
    assert_self_contained(page)
    assert "&lt;tried&gt; nothing &amp; more" in page
    for title in ("What must be shown", "Calibration", "Identity", "Embeddings", "Examples", "What was tried"):
        assert f"<h2>{title}</h2>" in page
    assert page == render(report)


def test_the_same_seed_gives_the_same_figures(data: EvalData, bundle: Bundle, report: Report) -> None:
    patch = pytest.MonkeyPatch()
    patch.setattr("training_hub.evaluation.run.QUICK", TINY)
    try:
        again = evaluate(bundle, data, Options(protocols=("calibration",), quick=True, seed=5))
        other = evaluate(bundle, data, Options(protocols=("calibration",), quick=True, seed=6))
    finally:
        patch.undo()
    assert again.calibration == report.calibration
    assert other.calibration != report.calibration


def test_an_unknown_protocol_is_named() -> None:
    with pytest.raises(EvaluationError, match="no protocol nonsense"):
        Options(protocols=("nonsense",))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"baselines": ("nonsense",)}, "no baseline nonsense"),
        ({"draws": 0}, "0 draws"),
        ({"hours": 0.0}, "0.0 hours"),
        ({"hours": float("nan")}, "nan hours"),
    ],
)
def test_work_that_is_none_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        Options(**wrong)


def test_only_a_full_run_may_be_quoted() -> None:
    assert Options().is_full
    assert Options(draws=10, hours=24.0).is_full
    assert not Options(draws=3).is_full
    assert not Options(hours=1.0).is_full
    assert not Options(quick=True).is_full
    assert Options(draws=1).effort.slow_draws == 1


def test_recordings_of_no_file_are_not_cached(data: EvalData, bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="leave the cache out"):
        evaluate(bundle, data, Options(protocols=("gallery",), quick=True, cache=tmp_path))


def test_the_command_writes_both_files(bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "data"
    source.mkdir()
    rows = ["file,machine_type,machine_id,condition,group,licence"]
    for k in range(20):
        audio = np.random.default_rng(k).normal(0, 0.1, 48_000)
        if k >= 16:
            audio[1:] -= audio[:-1]
        soundfile.write(source / f"{k:02d}.flac", audio.astype(np.float32), 16_000)
        rows.append(f"{k:02d}.flac,fan,f,{'anomaly' if k >= 16 else 'normal'},g{k},MIT")
    (source / "manifest.csv").write_text("\n".join(rows) + "\n")
    out = tmp_path / "out"
    arguments = ["--bundle", str(bundle.root), "--data", str(source), "--out", str(out), "--quick"]
    arguments += ["--protocol", "leave_one_machine_out", "--no-baselines", "--cache", str(tmp_path / "cache")]
    assert cli.main(["evaluate", *arguments]) == 0
    first = Report.read(out / "report.json")
    assert cli.main(["evaluate", *arguments]) == 0
    assert "found before" in capsys.readouterr().err
    assert Report.read(out / "report.json").rows == first.rows
    (source / "00.flac").write_bytes((source / "01.flac").read_bytes())
    assert cli.main(["evaluate", *arguments]) == 0
    told = capsys.readouterr()
    assert "found before" not in told.err
    assert "must show" in told.out
    assert Report.read(out / "report.json").data.normal_clips == 16
    assert_self_contained((out / "report.html").read_text())


def test_the_command_names_what_is_wrong(bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--bundle", str(bundle.root), "--data", str(tmp_path), "--out", str(tmp_path / "o")]
    assert cli.main(["evaluate", *arguments]) == 1
    assert "neither a manifest.csv" in capsys.readouterr().err
