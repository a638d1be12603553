"""One evaluation from a bundle and a directory of recordings to a report."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import edge_agent
from edge_agent.inference.bundle import Bundle
from edge_agent.inference.encoder import Encoder
from edge_agent.inference.manifest import EncoderSpec
from edge_agent.inference.runtime import TFLiteModel
from edge_agent.pipeline.identity import Identifier, IdentityCalibration
from training_hub.evaluation.baselines.catalogue import baselines
from training_hub.evaluation.context import FULL, QUICK, Effort, Evaluation, Findings
from training_hub.evaluation.datasets import EvalData
from training_hub.evaluation.errors import EvaluationError
from training_hub.evaluation.listen import Listener
from training_hub.evaluation.ours import Priors, our_systems
from training_hub.evaluation.parts import PartStore, code_digest, file_digest, merge
from training_hub.evaluation.protocols.catalogue import PROTOCOLS
from training_hub.evaluation.report import BundleSummary, DataSummary, Report, Skipped, SystemEntry
from training_hub.evaluation.targets import target_lines

_MOST_HOURS = 168.0


@dataclass(frozen=True)
class Options:
    """How to evaluate.

    Attributes:
        protocols: Which protocols; all if empty.
        quick: Fewer draws, clips and hours: to see that all works, not to quote.
        draws: How often commissioning clips are drawn; the effort's own if None.
        hours: Of the stream; the effort's own if None.
        baselines: Which baselines; all that are installed if None.
        cache: Where protocols' findings are kept and looked for; None runs everything anew.
        seed: Of every draw.
        peer: MLPerf Tiny's autoencoder, to run beside.
        float_encoder: The float `.tflite` that the bundle's encoder was quantised from.
        notes: What was tried; goes into the report as it is.
    """

    protocols: tuple[str, ...] = ()
    quick: bool = False
    draws: int | None = None
    hours: float | None = None
    baselines: tuple[str, ...] | None = None
    cache: Path | None = None
    seed: int = 1
    peer: Path | None = None
    float_encoder: Path | None = None
    notes: str = ""

    def __post_init__(self) -> None:
        """Refuse protocols and baselines that do not exist, and work that is none."""
        unknown = sorted(set(self.protocols) - set(PROTOCOLS))
        if unknown:
            raise EvaluationError(f"no protocol {', '.join(unknown)}; there are {', '.join(PROTOCOLS)}")
        names = [system.name for system in baselines(self.peer)]
        unknown = sorted(set(self.baselines or ()) - set(names))
        if unknown:
            raise EvaluationError(f"no baseline {', '.join(unknown)}; there are {', '.join(names)}")
        if self.draws is not None and self.draws < 1:
            raise EvaluationError(f"{self.draws} draws prove nothing; give 1 or more")
        if self.hours is not None and not 0.0 < self.hours <= _MOST_HOURS:
            raise EvaluationError(f"a stream of {self.hours} hours; give more than 0, at most {_MOST_HOURS:g}")

    @property
    def effort(self) -> Effort:
        """How much work to spend."""
        effort = QUICK if self.quick else FULL
        if self.draws is not None:
            effort = replace(effort, draws=self.draws, slow_draws=min(self.draws, effort.slow_draws))
        return effort if self.hours is None else replace(effort, stream_h=self.hours)

    @property
    def is_full(self) -> bool:
        """Whether the figures may be held against what must be shown."""
        return self.effort.draws >= FULL.draws and self.effort.stream_h >= FULL.stream_h and not self.quick


def evaluate(
    bundle: Bundle, data: EvalData, options: Options, progress: Callable[[str], None] = lambda _: None
) -> Report:
    """Run the protocols.

    Raises:
        EvaluationError: The data or the options cannot be evaluated.
    """
    started_s = time.monotonic()
    listener = Listener(bundle.encoder(), bundle.manifest.signal)
    chosen_baselines = options.baselines
    known = [s for s in baselines(options.peer) if chosen_baselines is None or s.name in chosen_baselines]
    labels = tuple(label.machine_id for label in bundle.manifest.labels)
    evaluation = Evaluation(
        data=data,
        bundle=bundle,
        listener=listener,
        float_listener=_float_listener(bundle, options.float_encoder),
        identifier=Identifier(labels, IdentityCalibration()) if labels else None,
        ours=our_systems(bundle, Priors(bundle, data, listener), listener.features),
        baselines=tuple(system for system in known if not system.missing),
        effort=options.effort,
        seed=options.seed,
        progress=progress,
    )
    findings = Findings(
        skipped=[
            Skipped(what=system.name, reason=f"skipped: {', '.join(system.missing)} not installed")
            for system in known
            if system.missing
        ]
    )
    chosen = options.protocols or tuple(PROTOCOLS)
    store = PartStore(options.cache, _ingredients(bundle, data, options, evaluation))
    for name in (name for name in PROTOCOLS if name in chosen):
        merge(findings, _findings_of(name, evaluation, store))
    systems = (*evaluation.ours, *evaluation.baselines)
    return Report(
        agent_version=edge_agent.__version__,
        bundle=BundleSummary(name=bundle.ref.name, version=bundle.ref.version, sha256=bundle.ref.sha256),
        data=DataSummary(
            name=data.name,
            machines=len(data.machines),
            normal_clips=sum(len(machine.normals) for machine in data.machines),
            anomalous_clips=sum(len(machine.anomalies) for machine in data.machines),
            background_clips=len(data.backgrounds),
        ),
        seed=options.seed,
        quick=not options.is_full,
        seconds=time.monotonic() - started_s,
        protocols=tuple(name for name in PROTOCOLS if name in chosen),
        systems=tuple(SystemEntry(name=s.name, title=s.title, family=s.family.value) for s in systems),
        skipped=tuple(findings.skipped),
        rows=tuple(findings.rows),
        samples=tuple(findings.samples),
        calibration=tuple(findings.calibration),
        confusion=findings.confusion,
        scatter=tuple(findings.scatter),
        examples=tuple(findings.examples),
        targets=target_lines(findings.rows, quick=not options.is_full),
        notes=options.notes,
    )


def _findings_of(name: str, evaluation: Evaluation, store: PartStore) -> Findings:
    """What a protocol finds, or found before."""
    kept = store.find(name, evaluation.effort)
    if kept is not None:
        evaluation.progress(f"{name}: found before, in {kept[1]:.0f} s")
        return kept[0]
    started_s, findings = time.monotonic(), Findings()
    PROTOCOLS[name](evaluation, findings)
    store.keep(name, evaluation.effort, findings, time.monotonic() - started_s)
    return findings


def _ingredients(bundle: Bundle, data: EvalData, options: Options, evaluation: Evaluation) -> list[str]:
    """Everything that findings depend on."""
    if options.cache is None:
        return []
    if not data.digest:
        raise EvaluationError(f"{data.name}: recordings that no file holds cannot be told apart; leave the cache out")
    systems = [system.name for system in (*evaluation.ours, *evaluation.baselines)]
    files = [file_digest(options.peer), file_digest(options.float_encoder)]
    return [bundle.ref.sha256, data.digest, code_digest(), str(options.seed), *files, *systems]


def _float_listener(bundle: Bundle, path: Path | None) -> Listener | None:
    """A listener with the float model in the encoder's place; its outputs are found by their sizes."""
    if path is None:
        return None
    try:
        model = TFLiteModel(path.read_bytes(), name=path.name)
    except OSError as error:
        raise EvaluationError(f"{path}: {error.strerror}; give the float .tflite file") from error
    spec = bundle.manifest.encoder
    if model.input.is_quantised:
        raise EvaluationError(f"{path}: is quantised; give the float model that the encoder was made from")
    return Listener(Encoder(model, _with_tensors(spec, [output.size for output in model.outputs], path)))


def _with_tensors(spec: EncoderSpec, sizes: Sequence[int], path: Path) -> EncoderSpec:
    outputs = []
    for output in spec.outputs:
        if sizes.count(output.size) != 1:
            raise EvaluationError(f"{path}: outputs of {list(sizes)} values; expected one of {output.size}")
        outputs.append(output.model_copy(update={"tensor": sizes.index(output.size)}))
    return spec.model_copy(update={"outputs": tuple(outputs)})
