"""A run copied to an MLflow in a SQLite file."""

from pathlib import Path

import pytest

from training_hub.catalogue.tables import Run, RunPoint
from training_hub.catalogue.types import utc_now
from training_hub.config.mlflow import MlflowSection
from training_hub.retrain.errors import RetrainError
from training_hub.retrain.mlflow_export import export_run

pytest.importorskip("mlflow.tracking", reason="needs the mlflow extra")

pytestmark = pytest.mark.train

ID = "01J000000000000000000000RT"
RUN = Run(
    id=ID,
    what="types",
    base_sha256="0" * 64,
    parameters={"seed": 1, "what": ["types"]},
    dataset={"digest": "d" * 64},
    gate={"passed": True, "machines": [{"machine": "site/pump_1", "after": {"auc": 0.93, "pauc": None}}]},
    created_by="user:anna",
    created_at=utc_now(),
    finished_at=utc_now(),
)
POINTS = [RunPoint(run_id=ID, name="loss", step=step, value=1.0 / step) for step in (1, 2, 4)]
RESULT = {"name": "default", "version": "0.3.2", "state": "draft"}


def test_a_run_is_copied(tmp_path: Path) -> None:
    from mlflow import tracking

    section = MlflowSection(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db", experiment="pumps")
    copied = [export_run(section, RUN, POINTS, RESULT) for _ in range(2)]
    assert copied[0] != copied[1]
    client = tracking.MlflowClient(tracking_uri=section.tracking_uri)
    found = client.get_run(copied[0])
    assert found.data.params == {"seed": "1", "what": "['types']"}
    assert found.data.metrics["auc.site.pump_1"] == pytest.approx(0.93)
    assert found.data.tags["hub.gate"] == "passed" and found.data.tags["hub.run"] == ID
    assert [point.step for point in client.get_metric_history(copied[0], "loss")] == [1, 2, 4]
    assert found.info.status == "FINISHED"


def test_an_mlflow_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    with pytest.raises(RetrainError, match="refused the run"):
        export_run(MlflowSection(tracking_uri="no-such-scheme://x"), RUN, POINTS, RESULT)
