"""What a retrained bundle's model card says of the retraining, in Markdown."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from edge_agent.inference.manifest import BundleRef, DataSource
from training_hub.retrain.clips import LearntClip
from training_hub.retrain.faults import FaultFigures
from training_hub.retrain.gate import Gate
from training_hub.retrain.splits import Division


def sources_of(clips: Sequence[LearntClip], what: str) -> list[DataSource]:
    """What a part was learnt from: a line per machine type and licence."""
    counts = Counter((item.clip.machine_type, item.clip.licence) for item in clips)
    return [
        DataSource(name=f"{what} of {machine_type}"[:2000], licence=licence[:2000], recordings=count)
        for (machine_type, licence), count in sorted(counts.items())
    ]


def describe(
    what: str,
    *,
    base: BundleRef,
    division: Division,
    gate: Gate,
    faults: Mapping[str, FaultFigures],
    weights: str,
) -> str:
    """The section of the card."""
    parts = [
        "## Retraining",
        f"Learnt anew: {what}. Begun with {base.name} {base.version} ({base.sha256[:12]}).",
        f"{len(division.teach)} normal clips taught, {len(division.commission)} commissioned the machines; "
        f"{len(division.held_out)} normal and {len(division.anomalies)} "
        f"anomalous ones judged. Divided by recording and day with seed {division.seed}, digest "
        f"`{division.digest[:16]}`. Anomalous clips taught nothing but the names of faults.",
    ]
    if weights:
        parts.append(weights)
    parts += ["### Against the bundle in use", gate_table(gate)]
    if gate.why:
        parts.append("\n".join(f"- {line}" for line in gate.why))
    if faults:
        parts += ["### Kinds of fault", faults_table(faults)]
    return "\n\n".join(parts)


def gate_table(gate: Gate) -> str:
    """A row per machine."""
    rows = ["| machine | clips | AUC | false alarms | one in ten | verdict |", "|---|---|---|---|---|---|"]
    for item in gate.machines:
        change = f"{_share(item.before.auc)} → {_share(item.after.auc)}"
        alarms = f"{_percent(item.before.false_alarms)} → {_percent(item.after.false_alarms)}"
        nominal = f"{_percent(item.before.nominal)} → {_percent(item.after.nominal)}"
        clips = f"{item.normals} + {item.anomalies}"
        rows.append(f"| {item.machine} | {clips} | {change} | {alarms} | {nominal} | {item.verdict} |")
    return "\n".join(rows)


def faults_table(faults: Mapping[str, FaultFigures]) -> str:
    """A row per machine type."""
    rows = [
        "| type | faults | clips | own name | unknown | another name | never heard: unknown |",
        "|---|---|---|---|---|---|---|",
    ]
    for machine_type, found in sorted(faults.items()):
        strangers = "-" if found.strangers_unknown is None else _percent(found.strangers_unknown)
        rows.append(
            f"| {machine_type} | {len(found.confusion)} | {found.clips} | {_percent(found.named)} | "
            f"{_percent(found.unknown)} | {_percent(found.wrong)} | {strangers} |"
        )
    return "\n".join(rows)


def weights_text(weights: Mapping[str, Mapping[str, float]], machines: Mapping[str, int]) -> list[str]:
    """A sentence per type: detectors with their weights."""
    found: dict[str, str] = defaultdict(str)
    for machine_type, by_detector in weights.items():
        listed = ", ".join(f"{name} {weight:g}" for name, weight in sorted(by_detector.items()))
        found[machine_type] = f"{machine_type} ({machines.get(machine_type, 0)} machines heard): {listed}"
    return [found[name] for name in sorted(found)]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"
