"""A retraining from the catalogue to its rows: what is learnt, what is written, what is refused."""

import csv
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from edge_agent.clips.encode import log_mel_bytes
from edge_agent.inference.archive import unpack_bundle
from edge_agent.inference.bundle import load_bundle
from edge_agent.pipeline.faults import fault_prototypes
from tests.training_hub.retrain.made import window
from training_hub.catalogue.labelling import Deed
from training_hub.catalogue.migrate import migrate
from training_hub.catalogue.tables import AuditEntry, Bundle, Clip, Performance, Run
from training_hub.catalogue.types import utc_now
from training_hub.cli import main
from training_hub.config.server import ServerSection
from training_hub.config.settings import HubSettings
from training_hub.jobs.context import JobContext
from training_hub.opening import open_parts
from training_hub.parts import HubParts
from training_hub.retrain.directory import FoundClip
from training_hub.retrain.errors import RetrainError
from training_hub.retrain.import_data import Imported, import_data
from training_hub.retrain.request import RetrainRequest, parse_request
from training_hub.retrain.run import retrain

JOB = "01J000000000000000000000RT"
REQUEST = RetrainRequest(what=("types", "weights", "faults"))


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubParts]:
    settings = HubSettings(server=ServerSection(state_dir=tmp_path_factory.mktemp("hub")))
    with open_parts(settings, os.environ) as opened:
        migrate(opened.database)
        yield opened


def found(machine: int, k: int, *, fault: str = "", tone_db: float = 0.0) -> FoundClip:
    frames = window(10_000 * machine + 100 * len(fault) + k, machine, tone_db=tone_db)
    name = f"m{machine}-{fault or 'normal'}-{k}"
    return FoundClip(
        name=name,
        content=log_mel_bytes(frames, first_frame=0, machine=f"pump_{machine}", name=name, roll_db=frames),
        kind="log_mel",
        machine_id=f"pump_{machine}",
        machine_type="pump",
        condition="anomaly" if fault else "normal",
        group=name,
        label=fault,
        licence="MIT",
        note="",
    )


def clips() -> list[FoundClip]:
    normal = [found(machine, k) for machine in (0, 1) for k in range(34)]
    odd = [found(0, k, fault="bearing", tone_db=9.0) for k in range(6)]
    odd += [found(0, k, fault="cavitation", tone_db=-9.0) for k in range(6)]
    return normal + odd


@pytest.fixture(scope="module")
def imported(parts: HubParts) -> Imported:
    return import_data(parts, clips(), Deed(actor="user:anna", at=utc_now()))


@pytest.fixture(scope="module")
def result(parts: HubParts, imported: Imported) -> dict[str, object]:
    shares: list[float] = []
    context = JobContext(JOB, "user:anna", parts, lambda share, message: shares.append(share))
    found_result = retrain(_with_job(context), REQUEST)
    assert shares == sorted(shares) and 0 <= shares[0] and shares[-1] <= 1
    return found_result


def _with_job(context: JobContext) -> JobContext:
    from training_hub.catalogue.tables import Job

    with context.parts.database.transaction() as session:
        session.add(Job(id=JOB, kind="retrain", state="running", created_by="user:anna"))
    return context


def test_recordings_are_catalogued_once_as_what_they_are(parts: HubParts, imported: Imported) -> None:
    assert imported.added == {"training": 68, "validation": 12}
    again = import_data(parts, clips()[:5], Deed(actor="user:anna", at=utc_now()))
    assert (again.added, again.known) == ({}, 5)
    with parts.database.transaction(writes=False) as session:
        odd = session.scalars(select(Clip).where(Clip.label == "bearing")).all()
        assert len(odd) == 6
        assert odd[0].anomalous and odd[0].machine.name == "pump_0" and odd[0].origin == "import"
        assert odd[0].sidecar is not None and odd[0].sidecar["licence"] == "MIT"


def test_what_is_no_clip_is_named_and_stops_nothing(parts: HubParts, imported: Imported) -> None:
    from dataclasses import replace

    bad = [replace(clips()[0], content=b"no npz", name="bad"), replace(clips()[0], machine_id="../etc", name="worse")]
    flawed = import_data(parts, bad, Deed(actor="hub", at=utc_now())).flawed
    assert set(flawed) == {"bad", "worse"} and "no name of a machine" in flawed["worse"]


def test_the_bundle_verifies_and_holds_what_was_learnt(
    parts: HubParts, result: dict[str, object], tmp_path: Path
) -> None:
    with parts.database.transaction(writes=False) as session:
        row = session.get(Bundle, result["bundle"])
        assert row is not None
    archive = parts.objects.get(row.object_sha256)
    (tmp_path / "bundle.tar").write_bytes(archive)
    with (tmp_path / "bundle.tar").open("rb") as file:
        unpack_bundle(file, tmp_path / "bundle", name="bundle.tar")
    bundle = load_bundle(tmp_path / "bundle")
    assert bundle.sha256 == row.sha256 == result["sha256"]
    assert "pump" in bundle.manifest.machine_types
    assert bundle.manifest.training is not None
    assert "Detector weights fitted on made-up faults" in bundle.manifest.training.note
    faults = fault_prototypes(bundle, "pump")
    assert faults is not None and faults.labels == ("bearing", "cavitation")
    assert "## Retraining" in row.model_card and "| site" not in row.model_card
    assert any(source.name == "priors of pump" for source in bundle.manifest.training.data)


def test_the_rows_say_what_was_judged(parts: HubParts, result: dict[str, object]) -> None:
    with parts.database.transaction(writes=False) as session:
        run = session.get(Run, result["run"])
        assert run is not None and run.gate is not None and run.finished_at is not None
        assert run.what == "types+weights+faults"
        assert run.report_sha256 is not None, run.metrics
        assert parts.objects.get(run.report_sha256).lstrip().lower().startswith(b"<!doctype html")
        sides = [set(run.dataset[side]) for side in ("teach", "commission", "held_out", "anomalies")]
        assert sum(map(len, sides)) == len(set().union(*sides)) == 80
        rows = session.scalars(select(Performance).where(Performance.dataset_digest == run.dataset["digest"])).all()
        assert len(rows) == 4
        assert {row.bundle_sha256 for row in rows} == {run.base_sha256, result["sha256"]}
        judged = next(row for row in rows if row.bundle_sha256 == result["sha256"] and row.anomalies)
        assert judged.auc is not None and judged.auc > 0.9
        assert len(judged.detail["clips"]) == judged.normals + judged.anomalies
        assert {machine["machine"] for machine in run.gate["machines"]} == {"external/pump_0", "external/pump_1"}
        assert run.metrics["faults"]["pump"]["clips"] == 12
        bundle = session.get(Bundle, result["bundle"])
        assert bundle is not None
        assert bundle.state == ("draft" if run.gate["passed"] else "refused") == result["state"]
        entry = session.scalar(select(AuditEntry).where(AuditEntry.action == "bundle.retrain"))
        assert entry is not None and entry.actor == "user:anna"


def test_a_job_begun_again_after_its_end_changes_nothing(parts: HubParts, result: dict[str, object]) -> None:
    context = JobContext(JOB, "user:anna", parts, lambda share, message: None)
    assert retrain(context, REQUEST) == result


def test_an_empty_catalogue_teaches_nothing(tmp_path: Path) -> None:
    with open_parts(HubSettings(server=ServerSection(state_dir=tmp_path)), os.environ) as empty:
        migrate(empty.database)
        with pytest.raises(RetrainError, match="no normal clip to learn from"):
            retrain(_with_job(JobContext(JOB, "hub", empty, lambda share, message: None)), REQUEST)


@pytest.mark.parametrize(
    "parameters", [{"what": []}, {"what": ["dance"]}, {"minutes": -1}, {"colour": "red"}, {"base": "../etc/passwd"}]
)
def test_parameters_are_checked(parameters: dict[str, object]) -> None:
    with pytest.raises(RetrainError, match="see docs/retraining"):
        parse_request(parameters)


def test_without_the_extra_the_encoder_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from training_hub.retrain import encoder

    monkeypatch.setattr(encoder, "_NEEDED", ("no_such_library",))
    with pytest.raises(RetrainError, match=r"no_such_library not installed; pip install 'edge-agent\[train,hub\]'"):
        encoder.require_train_extra()


def test_two_bundles_are_compared_on_a_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "pump_recordings"
    data.mkdir()
    frames = [window(k, 0, frames=96) for k in range(24)] + [
        window(500 + k, 0, tone_db=12.0, frames=96) for k in range(6)
    ]
    np.savez_compressed(
        data / "clips.npz",
        log_mel_db=np.stack(frames),
        machine_id=np.array(["pump_0"] * 30),
        anomalous=np.array([False] * 24 + [True] * 6),
    )
    arguments = [
        "compare",
        "models/default",
        "models/default",
        "--from",
        str(data),
        "--state-dir",
        str(tmp_path / "hub"),
    ]
    status = main(arguments)
    said = capsys.readouterr().out
    assert "external/pump_0" in said
    assert "AUC +0.0 points" in said
    assert status == 1 and "no machine has clips enough" in said  # 8 held out


def test_data_is_imported_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import soundfile

    rng = np.random.default_rng(0)
    rows = []
    for name, condition in (
        ("a.flac", "normal"),
        ("b.flac", "anomaly"),
        ("c.flac", "code_3"),
        ("d.flac", "background"),
    ):
        soundfile.write(tmp_path / name, rng.normal(0, 0.1, 48_000), 16_000)
        rows.append([name, "fan", "fan_1", condition, f"session {name}", "MIT"])
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["file", "machine_type", "machine_id", "condition", "group", "licence"], *rows])
    assert main(["import-data", str(tmp_path), "--state-dir", str(tmp_path / "hub")]) == 0
    assert "added 2 external, 1 training, 1 validation; 0 were known, 0 left out" in capsys.readouterr().out
    stored = list((tmp_path / "hub" / "objects").rglob("*/*/" + "[0-9a-f]" * 64))
    assert {hashlib.sha256(path.read_bytes()).hexdigest() for path in stored} == {path.name for path in stored}
    assert len(stored) == 4
