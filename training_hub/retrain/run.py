"""A retraining from the catalogue's clips to a bundle that may, or may not, follow the one in use."""

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from sqlalchemy import select

from edge_agent.detection.prior import TypePrior
from edge_agent.inference.archive import pack_bundle
from edge_agent.inference.bundle import Bundle
from edge_agent.inference.manifest import Measurement
from training_hub.catalogue.tables import Run, RunPoint
from training_hub.compute.compute import Compute
from training_hub.compute.opening import open_compute
from training_hub.evaluation.errors import EvaluationError
from training_hub.features.extract import load_or_extract
from training_hub.features.opening import open_features
from training_hub.jobs.context import JobContext
from training_hub.parts import HubParts
from training_hub.retrain.assemble import Learnt, assemble
from training_hub.retrain.card import describe, sources_of, weights_text
from training_hub.retrain.clips import KnownClip, LearntClip, by_machine, known_clips, with_windows
from training_hub.retrain.encoder import require_train_extra, teaching, train_encoder
from training_hub.retrain.errors import RetrainError
from training_hub.retrain.gate import Gate, compare
from training_hub.retrain.judging import Case, Judged, judge
from training_hub.retrain.learning import (
    FaultsLearnt,
    Progress,
    fit_priors,
    learn_faults,
    require_something,
    types_of,
    weigh,
)
from training_hub.retrain.mlflow_export import export_run
from training_hub.retrain.record import Outcome, add_points, begin_run, finish_run, finished, next_version
from training_hub.retrain.report import render_report
from training_hub.retrain.request import RetrainRequest
from training_hub.retrain.splits import Division, divide
from training_hub.sounds.shelf import BundleShelf

# Shares of the work, for the bar; the encoder takes its own minutes.
_HEARD, _TRAINED, _LEARNT, _JUDGED = 0.15, 0.55, 0.7, 0.92


@dataclass(frozen=True, eq=False)
class Material:
    """What there is to learn from and to judge by.

    Attributes:
        division: Who is on which side.
        teach, commission, held_out, anomalies: The clips, with their windows.
        left_out: Machines that cannot be judged, and why.
        metrics: How many clips were left aside, and why.
    """

    division: Division
    teach: tuple[LearntClip, ...]
    commission: tuple[LearntClip, ...]
    held_out: tuple[LearntClip, ...]
    anomalies: tuple[LearntClip, ...]
    left_out: Mapping[str, str]
    metrics: Mapping[str, object]

    @property
    def machine_rows(self) -> dict[str, int]:
        """The catalogue's number of each machine."""
        return {item.clip.machine: item.clip.machine_row for item in self.everything}

    @property
    def everything(self) -> tuple[LearntClip, ...]:
        """All clips."""
        return (*self.teach, *self.commission, *self.held_out, *self.anomalies)


def retrain(context: JobContext, request: RetrainRequest) -> dict[str, object]:
    """Do it; begun again after a crash it goes on where the encoder's last checkpoint is.

    Raises:
        RetrainError, TrainingError, BundleError, FeatureError, ComputeError, StorageError: It cannot be done.
        JobCancelledError: It is to end.
    """
    parts, run_id = context.parts, context.job_id
    if (before := finished(parts, run_id)) is not None:
        return before
    if "encoder" in request.what:
        require_train_extra()
    base = BundleShelf(parts).ear(request.base).bundle
    begin_run(parts, run_id, request, base.ref, context.created_by)
    work = parts.settings.server.state_dir / "work" / run_id
    work.mkdir(parents=True, exist_ok=True, mode=0o750)
    watch = Stopwatch()
    with open_compute(parts.settings.compute) as compute:
        material = gather(parts, request.seed, compute, within(context.progress, 0.0, _HEARD))
        watch.lap("features_s")
        name = request.name or base.manifest.name
        version = request.version or next_version(parts, name, base.manifest.version)
        trained = base
        if "encoder" in request.what:
            trained = _encoder(context, request, base, material, work, version)
            watch.lap("encoder_s")
        learnt, faults = _learn(request, trained, material, compute, within(context.progress, _TRAINED, _LEARNT))
        learnt = replace(learnt, name=name, version=version, forget_faults=trained is not base)
        watch.lap("learning_s")
        shutil.rmtree(work / "draft", ignore_errors=True)
        draft = assemble(trained, learnt, work / "draft")
        progress = within(context.progress, _LEARNT, _JUDGED)
        gate, judged = judge_both(base, draft, material, seed=request.seed, compute=compute, progress=progress)
        watch.lap("judging_s")
    final = replace(learnt, results=_results(gate, faults), card=_card(request, base, material, gate, faults, learnt))
    shutil.rmtree(work / "bundle", ignore_errors=True)
    bundle = assemble(trained, final, work / "bundle")
    metrics: dict[str, object] = {**material.metrics, "faults": {k: asdict(v) for k, v in faults.figures.items()}}
    page = _page(context, request, bundle, material, metrics)
    watch.lap("report_s")
    metrics["seconds"] = watch.laps
    outcome = Outcome(
        bundle, base.ref, gate, judged[0], judged[1], material.machine_rows, material.division, metrics, page,
        (bundle.root / "MODEL_CARD.md").read_text(encoding="utf-8"),
    )  # fmt: skip
    result = finish_run(parts, run_id, outcome, context.created_by)
    shutil.rmtree(work, ignore_errors=True)
    return result | _copied(parts, run_id, result)


def catalogue_material(parts: HubParts, seed: int) -> Material:
    """The same without a job.

    Raises:
        RetrainError: The catalogue holds no clip to learn from.
    """
    with open_compute(parts.settings.compute) as compute:
        return gather(parts, seed, compute, lambda _share, _message: None)


def gather(parts: HubParts, seed: int, compute: Compute, progress: Progress) -> Material:
    """The catalogue's clips, divided, with their windows.

    Raises:
        RetrainError: It holds no clip to learn from.
    """
    with parts.database.transaction(writes=False) as session:
        known = known_clips(session)
    frames, flawed = load_or_extract(
        known.kinds(), parts.objects, open_features(parts.settings, os.environ), compute, progress
    )
    metrics = {"skipped": dict(known.skipped), "flawed": dict(flawed)}
    return divided(known.clips, lambda clips, groups: with_windows(clips, groups, frames), seed, metrics)


def divided(
    clips: Sequence[KnownClip],
    windows: Callable[[Sequence[KnownClip], Mapping[str, str]], tuple[LearntClip, ...]],
    seed: int,
    metrics: Mapping[str, object],
) -> Material:
    """Divide clips and give them their windows.

    Raises:
        RetrainError: There is no normal clip.
    """
    division = divide(clips, seed)
    if not division.commission:
        raise RetrainError("the catalogue holds no normal clip to learn from; label some, or import data")
    have = {item.clip.clip_id: item for item in windows(clips, division.groups)}
    teach, commission, held_out, anomalies = (
        tuple(have[i] for i in ids if i in have)
        for ids in (division.teach, division.commission, division.held_out, division.anomalies)
    )
    left_out = dict.fromkeys(division.undivided, "all its normal clips are of one recording: nothing can be held out")
    machines = {item.clip.machine for item in commission}
    for machine in sorted({clip.machine for clip in clips if clip.anomalous} - machines):
        left_out.setdefault(machine, "no normal clip to commission on")
    return Material(division, teach, commission, held_out, anomalies, left_out, metrics)


def judge_both(
    base: Bundle, new: Bundle, material: Material, *, seed: int, compute: Compute, progress: Progress
) -> tuple[Gate, tuple[list[Judged], list[Judged]]]:
    """Both bundles on every machine of which something was held out."""
    learn, held, odd = (by_machine(side) for side in (material.commission, material.held_out, material.anomalies))
    machines = sorted(learn.keys() & held.keys())
    cases = [
        Case(archive, machine, learn[machine][0].clip.machine_type, tuple(learn[machine]), tuple(held[machine]),
             tuple(odd.get(machine, ())), seed)
        for archive in (pack_bundle(base), pack_bundle(new))
        for machine in machines
    ]  # fmt: skip
    judged = []
    for k, found in enumerate(compute.map(judge, cases), start=1):
        judged.append(found)
        progress(k / len(cases), f"{found.machine} judged")
    before, after = judged[: len(machines)], judged[len(machines) :]
    return compare(before, after, left_out=material.left_out, seed=seed), (before, after)


class Stopwatch:
    """Seconds of each stretch of work."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._since_s = time.monotonic()

    def lap(self, name: str) -> None:
        """A stretch has ended."""
        now_s = time.monotonic()
        self.laps[name] = round(now_s - self._since_s, 1)
        self._since_s = now_s


def within(progress: Progress, first: float, last: float) -> Progress:
    """Progress of a part of the work, as that of the whole."""
    return lambda share, message: progress(first + (last - first) * share, message)


def _encoder(  # noqa: PLR0917  # all that it takes
    context: JobContext, request: RetrainRequest, base: Bundle, material: Material, work: Path, version: str
) -> Bundle:
    points: list[tuple[str, int, float]] = []
    told = within(context.progress, _HEARD, _TRAINED)

    def progress(share: float, message: str) -> None:
        if points:
            add_points(context.parts, context.job_id, points)
            points.clear()
        told(share, message)

    return train_encoder(
        teaching(material.teach, clean_only=request.clean_only),
        base,
        request,
        work,
        context.parts.settings.server.state_dir / "cache" / "training",
        version=version,
        progress=progress,
        point=lambda name, step, value: points.append((name, step, value)),
    )


def _learn(
    request: RetrainRequest, trained: Bundle, material: Material, compute: Compute, progress: Progress
) -> tuple[Learnt, FaultsLearnt]:
    priors: dict[str, TypePrior] = {}
    machines: dict[str, int] = {}
    types = types_of(material.teach)
    if "types" in request.what or "weights" in request.what:
        priors = fit_priors(types, compute, within(progress, 0.0, 0.3))
    if "weights" in request.what:
        priors, machines = weigh(
            priors, types, pack_bundle(trained), seed=request.seed, compute=compute,
            progress=within(progress, 0.3, 0.8),
        )  # fmt: skip
    faults = FaultsLearnt()
    if "faults" in request.what:
        told = within(progress, 0.8, 1.0)
        faults = learn_faults(material.teach, material.anomalies, pack_bundle(trained), told)
    require_something(priors, faults, encoder="encoder" in request.what)
    fitted = [item for item in material.teach if item.clip.machine_type in priors]
    named = [item for item in material.anomalies if item.clip.machine_type in faults.prototypes and item.clip.label]
    weighed = {name: {k: v.weight for k, v in priors[name].detectors.items()} for name in machines if name in priors}
    note = f"Retrained on the hub: {request.word}, seed {request.seed}."
    if weighed:
        note += " Detector weights fitted on made-up faults, within half to double the usual: "
        note += "; ".join(weights_text(weighed, machines)) + "."
    learnt = Learnt(
        name="",
        version="",
        priors=priors,
        faults=faults.prototypes,
        note=note,
        sources=[*sources_of(fitted, "priors"), *sources_of(named, "faults")],
    )
    return learnt, faults


def _results(gate: Gate, faults: FaultsLearnt) -> list[Measurement]:
    results = [
        Measurement(
            name=f"AUC, {item.machine}"[:2000],
            value=round(item.after.auc, 4),
            on=f"{item.normals} normal and {item.anomalies} anomalous clips held out; {item.before.auc:.4f} before",
        )
        for item in gate.machines
        if item.after.auc is not None and item.before.auc is not None
    ]
    for machine_type, found in faults.figures.items():
        on = f"{found.clips} clips, each by prototypes without its recording; {100 * found.unknown:.0f} % unknown"
        results.append(Measurement(name=f"fault named, {machine_type}", value=round(found.named, 4), on=on))
    return results


def _card(  # noqa: PLR0917  # all that it tells of
    request: RetrainRequest, base: Bundle, material: Material, gate: Gate, faults: FaultsLearnt, learnt: Learnt
) -> str:
    weights = learnt.note if "weights" in request.what else ""
    return describe(
        request.word, base=base.ref, division=material.division, gate=gate, faults=faults.figures, weights=weights
    )


def _copied(parts: HubParts, run_id: str, result: Mapping[str, object]) -> dict[str, object]:
    """The run in MLflow, where one is kept; a copy that fails fails no retraining, and the result says so."""
    if parts.settings.mlflow.tracking_uri is None:
        return {}
    with parts.database.transaction(writes=False) as session:
        run = session.get(Run, run_id)
        assert run is not None
        points = session.scalars(select(RunPoint).where(RunPoint.run_id == run_id)).all()
    try:
        return {"mlflow": export_run(parts.settings.mlflow, run, points, result)}
    except RetrainError as error:
        return {"mlflow": f"not copied: {error}"}


def _page(
    context: JobContext, request: RetrainRequest, bundle: Bundle, material: Material, metrics: dict[str, object]
) -> bytes | None:
    if not request.report:
        return None
    notes = f"Retrained {request.word} on the hub. Clips divided with digest {material.division.digest}."
    clips = material.everything
    told = within(context.progress, _JUDGED, 1.0)
    try:
        return render_report(bundle, clips, seed=request.seed, notes=notes, progress=lambda text: told(0.5, text))
    except EvaluationError as error:
        metrics["report"] = f"no report: {error}"
        return None
