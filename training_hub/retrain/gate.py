"""Whether a bundle may follow the one in use: no machine may lose by it. Pure."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from training_hub.evaluation.metrics import auc, partial_auc
from training_hub.retrain.judging import Judged

MOST_AUC_LOSS = 0.01
MOST_FALSE_ALARM_GROWTH = 1.25
ONE_CLIP = 1.0
"""One clip more above the threshold is chance, whatever share of few it is."""
FEW_NORMALS = 10
FEW_ANOMALIES = 5
FEW_RECORDINGS = 3
"""Normal clips of fewer recordings are one day of the machine, whatever their number."""
_ROUNDS = 500
_EPSILON = 1e-9


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Figures(_Part):
    """One bundle on one machine.

    Attributes:
        auc, pauc: Over held-out normal and anomalous clips; None where one kind is missing.
        false_alarms: Share of held-out normal windows above the threshold.
        nominal: Share of them above the score that one in ten is meant to exceed.
        refused: Why commissioning refused the machine's clips.
    """

    auc: float | None = None
    pauc: float | None = None
    false_alarms: float | None = None
    nominal: float | None = None
    refused: str = ""


class MachineGate(_Part):
    """Both bundles on one machine, and what that says.

    Attributes:
        machine, machine_type: The machine.
        normals, anomalies: Held-out clips behind the figures.
        recordings: Groups of them.
        before, after: The bundle in use, the new one.
        auc_change: After less before.
        auc_change_low, auc_change_high: 95 % interval of that, were other recordings drawn.
        verdict: `kept`, `lost`, or `too few clips` to be judged by.
        why: What was lost, or what is missing.
        uncertainty: How sure the figures are, in words.
    """

    machine: str
    machine_type: str
    normals: int
    anomalies: int
    recordings: int
    before: Figures
    after: Figures
    auc_change: float | None
    auc_change_low: float | None
    auc_change_high: float | None
    verdict: str
    why: str
    uncertainty: str


class Gate(_Part):
    """The whole comparison.

    Attributes:
        passed: Whether no machine lost.
        machines: Every machine, the worst first.
        worst: Name of the machine whose AUC changed for the worse the most; None where no AUC could be compared.
        why: What speaks against the bundle, and what could not be judged.
    """

    passed: bool
    machines: tuple[MachineGate, ...]
    worst: str | None
    why: tuple[str, ...]


def compare(before: Sequence[Judged], after: Sequence[Judged], *, left_out: Mapping[str, str], seed: int = 1) -> Gate:
    """Judge machine by machine; both were judged on the same clips.

    Args:
        before: Of the bundle in use, by machine.
        after: Of the new one.
        left_out: Machines of which nothing could be held out, and why.
        seed: Of the intervals.
    """
    later = {judged.machine: judged for judged in after}
    machines = sorted((_machine(old, later[old.machine], seed) for old in before), key=_badness)
    why = [f"{item.machine}: {item.why}" for item in machines if item.verdict != "kept"]
    why += [f"{machine}: not judged, {reason}" for machine, reason in sorted(left_out.items())]
    told = [item for item in machines if item.auc_change is not None]
    judged = [item for item in machines if item.verdict != "too few clips"]
    if not judged:
        why.insert(0, "no machine has clips enough to be judged by; a person must decide")
    return Gate(
        passed=bool(judged) and not any(item.verdict == "lost" for item in machines),
        machines=tuple(machines),
        worst=min(told, key=lambda item: item.auc_change or 0.0).machine if told else None,
        why=tuple(why),
    )


def figures(judged: Judged) -> Figures:
    """Figures of one bundle on one machine."""
    if not judged.scores:
        return Figures(refused=judged.refused or "nothing was held out")
    scores, anomalous = _arrays(judged)
    normal = [item for item in judged.scores if not item.anomalous]
    both = bool(anomalous.any() and not anomalous.all())
    return Figures(
        auc=auc(anomalous, scores) if both else None,
        pauc=partial_auc(anomalous, scores) if both else None,
        false_alarms=float(np.mean([item.above for item in normal])) if normal else None,
        nominal=float(np.mean([item.nominal for item in normal])) if normal else None,
    )


def _machine(old: Judged, new: Judged, seed: int) -> MachineGate:
    before, after = figures(old), figures(new)
    scores = old.scores or new.scores
    normals, anomalies = sum(not item.anomalous for item in scores), sum(item.anomalous for item in scores)
    change = None if before.auc is None or after.auc is None else after.auc - before.auc
    low, high = _interval(old, new, seed) if change is not None else (None, None)
    days = len({item.group for item in scores if not item.anomalous})
    enough = normals >= FEW_NORMALS and days >= FEW_RECORDINGS
    held = f"{normals} normal clips of {days} recordings and {anomalies} anomalous clips held out"
    lost, missing = [], []
    if after.refused and not before.refused:
        lost.append(f"it cannot be commissioned any more: {after.refused}")
    elif before.refused:
        missing.append(f"it cannot be commissioned: {before.refused}")
    if change is None or anomalies < FEW_ANOMALIES or not enough:
        missing.append(f"AUC not judged: {held}")
    elif change < -MOST_AUC_LOSS - _EPSILON:
        lost.append(f"AUC fell by {-100 * change:.1f} points, from {before.auc:.3f} to {after.auc:.3f}")
    if not enough:
        missing.append(f"false alarms not judged: {held}")
    else:
        lost += _more_alarms("above the threshold", before.false_alarms, after.false_alarms, normals)
        lost += _more_alarms("above the score of one in ten", before.nominal, after.nominal, normals)
    judged = enough and not before.refused
    return MachineGate(
        machine=old.machine,
        machine_type=old.machine_type,
        normals=normals,
        anomalies=anomalies,
        recordings=len({item.group for item in scores}),
        before=before,
        after=after,
        auc_change=change,
        auc_change_low=low,
        auc_change_high=high,
        verdict="lost" if lost else "kept" if judged else "too few clips",
        why="; ".join(lost + missing),
        uncertainty=_uncertainty(change, low, high, normals),
    )


def _more_alarms(what: str, before: float | None, after: float | None, normals: int) -> list[str]:
    if before is None or after is None:
        return []
    if after <= MOST_FALSE_ALARM_GROWTH * before + _EPSILON or (after - before) * normals <= ONE_CLIP + _EPSILON:
        return []
    return [f"held-out normal windows {what} grew from {100 * before:.1f} % to {100 * after:.1f} %"]


def _uncertainty(change: float | None, low: float | None, high: float | None, normals: int) -> str:
    if normals == 0:
        return "nothing was held out"
    alarms = f"no alarm among {normals} normal clips would leave up to {100 * 3 / normals:.0f} % possible (95 %)"
    if change is None:
        return alarms
    if low is None or high is None:
        return f"AUC from a single recording of one kind: no interval can be told; {alarms}"
    chance = "chance alone may explain it" if low <= 0.0 <= high else "more than chance"
    return f"AUC {100 * change:+.1f} points (95 %: {100 * low:+.1f} to {100 * high:+.1f}; {chance}); {alarms}"


def _interval(old: Judged, new: Judged, seed: int) -> tuple[float | None, float | None]:
    """Bootstrap over groups, both bundles on the same draw: what is uncertain of both alike cancels."""
    first, anomalous = _arrays(old)
    second, _ = _arrays(new)
    groups = np.array([f"{item.anomalous}/{item.group}" for item in old.scores])
    names = [np.unique(groups[anomalous == kind]) for kind in (False, True)]
    if min(len(side) for side in names) < 2:
        return None, None
    rng = np.random.default_rng(seed)
    place = {name: k for k, name in enumerate(np.concatenate(names))}
    rows = np.array([place[name] for name in groups])
    found = []
    for _ in range(_ROUNDS):
        counts = np.concatenate([rng.multinomial(len(side), np.full(len(side), 1 / len(side))) for side in names])
        weights = counts[rows].astype(np.float64)
        if weights[anomalous].sum() and weights[~anomalous].sum():
            found.append(auc(anomalous, second, weights) - auc(anomalous, first, weights))
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def _arrays(judged: Judged) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    return (
        np.array([item.score for item in judged.scores]),
        np.array([item.anomalous for item in judged.scores], dtype=np.bool_),
    )


def _badness(item: MachineGate) -> tuple[int, float, str]:
    order = {"lost": 0, "kept": 1, "too few clips": 2}[item.verdict]
    return order, item.auc_change if item.auc_change is not None else 0.0, item.machine
