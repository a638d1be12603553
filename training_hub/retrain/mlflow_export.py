"""A copy of a finished run in MLflow, for those who keep one; needs the extra `mlflow`."""

from collections.abc import Iterable, Mapping

from training_hub.catalogue.tables import Run, RunPoint
from training_hub.config.mlflow import MlflowSection
from training_hub.retrain.errors import RetrainError


def export_run(section: MlflowSection, run: Run, points: Iterable[RunPoint], result: Mapping[str, object]) -> str:
    """Write the run's parameters, curves, figures per machine, and verdict.

    Args:
        section: Where to; its `tracking_uri` is set.
        run: As finished.
        points: Its curves.
        result: Of the job: name, version and state of the bundle.

    Returns:
        MLflow's id of the run.

    Raises:
        RetrainError: The extra is not installed, or MLflow refused.
    """
    try:
        from mlflow.entities import Metric, Param, RunTag  # noqa: PLC0415  # an extra
        from mlflow.exceptions import MlflowException  # noqa: PLC0415
        from mlflow.tracking import MlflowClient  # noqa: PLC0415
    except ImportError as error:
        raise RetrainError("mlflow is not installed; pip install 'edge-agent[mlflow]', or unset [mlflow]") from error
    at_ms = int((run.finished_at or run.created_at).timestamp() * 1000)
    gate = run.gate or {}
    metrics = [Metric(point.name, point.value, at_ms, point.step) for point in points]
    for machine in gate.get("machines", ()):
        name = str(machine["machine"]).replace("/", ".")
        for word in ("auc", "pauc", "false_alarms", "nominal"):
            if (value := machine["after"].get(word)) is not None:
                metrics.append(Metric(f"{word}.{name}", float(value), at_ms, 0))
    parameters = [Param(name, str(value)[:500]) for name, value in sorted(run.parameters.items())]
    tags = {
        "hub.run": run.id, "hub.what": run.what, "hub.base_sha256": run.base_sha256,
        "hub.dataset": str(run.dataset.get("digest", "")), "hub.gate": "passed" if gate.get("passed") else "refused",
        "hub.bundle": f"{result.get('name')} {result.get('version')}", "mlflow.user": run.created_by,
    }  # fmt: skip
    try:
        client = MlflowClient(tracking_uri=section.tracking_uri)
        experiment = client.get_experiment_by_name(section.experiment)
        number = experiment.experiment_id if experiment is not None else client.create_experiment(section.experiment)
        made = client.create_run(number, start_time=int(run.created_at.timestamp() * 1000), tags=tags)
        client.log_batch(made.info.run_id, metrics, parameters, [RunTag("hub.state", str(result.get("state")))])
        client.set_terminated(made.info.run_id, "FINISHED", at_ms)
    except MlflowException as error:
        raise RetrainError(f"MLflow at {section.tracking_uri} refused the run: {error}") from error
    return str(made.info.run_id)
