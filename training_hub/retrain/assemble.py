"""From what was learnt to a bundle's directory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_agent.detection.faults import FaultPrototypes
from edge_agent.detection.prior import TypePrior
from edge_agent.inference.bundle import Bundle, load_bundle
from edge_agent.inference.manifest import DataSource, Measurement, Training
from training_hub.retrain.errors import RetrainError
from training_hub.training.bundle_writer import write_manifest, write_npz
from training_hub.training.model_card import write_model_card

CARD = "MODEL_CARD.md"
_MOST_TEXT = 2000
_MOST_RESULTS = 256
_PREFIX = "retraining, "


@dataclass(frozen=True, eq=False)
class Learnt:
    """What goes into the bundle beside the base.

    Attributes:
        name, version: What it is called.
        priors: By machine type.
        faults: By machine type.
        note: How it came to be; for the manifest.
        sources: What it was learnt from.
        results: What was measured.
        card: Markdown for the end of the model card.
        forget_faults: Whether the base's faults mean nothing any more, for the encoder is another.
    """

    name: str
    version: str
    priors: Mapping[str, TypePrior]
    faults: Mapping[str, FaultPrototypes]
    note: str = ""
    sources: Sequence[DataSource] = ()
    results: Sequence[Measurement] = ()
    card: str = ""
    forget_faults: bool = False


def assemble(base: Bundle, learnt: Learnt, out: Path) -> Bundle:
    """Write a bundle: the base with what was learnt; verified, its golden recording run, before it is returned.

    Args:
        base: What to begin with; its encoder stays.
        learnt: What to put into it.
        out: A directory that does not exist.

    Raises:
        RetrainError: `out` exists.
        TrainingError, BundleError: What was learnt cannot be written, or the result does not verify.
    """
    if out.exists():
        raise RetrainError(f"{out}: exists; give a new directory")
    old = base.manifest
    for name in old.file_names:
        if name == CARD or (learnt.forget_faults and name.startswith("faults/")):
            continue
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(base.read(name))
    for machine_type, prior in learnt.priors.items():
        write_npz(out / "types" / f"{machine_type}.npz", prior.to_arrays())
    for machine_type, prototypes in learnt.faults.items():
        write_npz(out / "faults" / f"{machine_type}.npz", prototypes.to_arrays())
    kept = tuple(result for result in old.results if not result.name.startswith(_PREFIX))
    results = tuple(result.model_copy(update={"name": f"{_PREFIX}{result.name}"}) for result in learnt.results)
    manifest = old.model_copy(
        update={
            "name": learnt.name,
            "version": learnt.version,
            "training": _training(old.training, learnt),
            "results": (*kept, *results)[:_MOST_RESULTS],
        }
    )
    (out / CARD).write_text(write_model_card(manifest, learnt.card), encoding="utf-8")
    write_manifest(out, manifest)
    return load_bundle(out, probe=False)


def _training(old: Training | None, learnt: Learnt) -> Training:
    base = old or Training(data=(), seed=0, steps=0, minutes=0.0)
    names = {source.name for source in learnt.sources}
    data = (*(source for source in base.data if source.name not in names), *learnt.sources)
    return base.model_copy(update={"data": data, "note": learnt.note[:_MOST_TEXT]})
