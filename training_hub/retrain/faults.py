"""Prototypes of faults from operators' labels, and what they are worth on recordings they were not made of."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.faults import MAX_FAULTS, UNKNOWN_FAULT, FaultPrototypes, direction
from edge_agent.detection.unit import unit

FloatArray = NDArray[np.float32]

MIN_GROUPS = 2
_LIMIT_SHARE = 0.95
_FEW_CLIPS = 20
"""Of fewer the farthest sets the limit, with more room: a share of them is a matter of chance."""
_LIMIT_MARGIN, _FEW_MARGIN = 1.05, 1.2
_TEMPERATURES = np.geomspace(0.005, 1.0, 24)
_DEFAULT_TEMPERATURE = 0.05


@dataclass(frozen=True, eq=False)
class HeardFault:
    """One labelled clip.

    Attributes:
        label: The fault's name.
        group: The recording that it belongs to, never on both sides.
        embeddings: `[patches, size]`.
    """

    label: str
    group: str
    embeddings: FloatArray


@dataclass(frozen=True)
class FaultFigures:
    """How well faults are told apart, every group judged by prototypes made without it.

    Attributes:
        clips: How many were judged.
        named: Share that got its own label.
        unknown: Share answered `unknown`.
        wrong: Share that got another label.
        balanced: Mean over the labels of the share that got its own.
        strangers: Clips of faults that the prototypes lacked: each label left out in turn.
        strangers_unknown: Share of them answered `unknown`.
        confusion: How often each label was answered by each.
    """

    clips: int
    named: float
    unknown: float
    wrong: float
    balanced: float
    strangers: int
    strangers_unknown: float | None
    confusion: dict[str, dict[str, int]]


def fit_faults(clips: Sequence[HeardFault], normals: Sequence[FloatArray]) -> FaultPrototypes | None:
    """Prototypes of the labels that at least two groups show; None where there is none.

    Args:
        clips: Labelled clips of machines of one type.
        normals: Embeddings of normal clips of the same machines, where directions start.
    """
    labels = _usable(clips)
    if not labels or not len(normals):
        return None
    origin = np.mean([unit(embeddings).mean(axis=0) for embeddings in normals], axis=0).astype(np.float32)
    directions = np.stack([direction(clip.embeddings, origin) for clip in clips])
    marks = np.array([clip.label for clip in clips])
    groups = np.array([clip.group for clip in clips])
    centres = np.stack([_centre(directions[marks == label]) for label in labels])
    held_distances, own = [], []
    limits = []
    for place, label in enumerate(labels):
        distances = []
        for group in np.unique(groups[marks == label]):
            test = (marks == label) & (groups == group)
            without = centres.copy()
            without[place] = _centre(directions[(marks == label) & (groups != group)])
            found = 1.0 - directions[test] @ without.T
            held_distances += list(found)
            own += [place] * int(test.sum())
            distances += found[:, place].tolist()
        few = len(distances) < _FEW_CLIPS
        share, margin = (1.0, _FEW_MARGIN) if few else (_LIMIT_SHARE, _LIMIT_MARGIN)
        limits.append(min(2.0, margin * float(np.quantile(distances, share))))
    prototypes = FaultPrototypes(labels, origin, centres, np.array(limits, np.float32), _DEFAULT_TEMPERATURE)
    return _with_temperature(prototypes, np.array(held_distances, np.float32), np.array(own))


def judge_faults(clips: Sequence[HeardFault], normals: Sequence[FloatArray]) -> FaultFigures | None:
    """Leave each group out in turn, then each label; None where nothing can be judged."""
    labels = _usable(clips)
    known = [clip for clip in clips if clip.label in labels]
    confusion: dict[str, dict[str, int]] = {label: {} for label in labels}
    for group in sorted({clip.group for clip in known}):
        prototypes = fit_faults([clip for clip in known if clip.group != group], normals)
        if prototypes is None:
            continue
        for clip in (clip for clip in known if clip.group == group and clip.label in prototypes.labels):
            said = prototypes.guess(clip.embeddings)
            if said is not None:
                confusion[clip.label][said.label] = confusion[clip.label].get(said.label, 0) + 1
    total = sum(sum(row.values()) for row in confusion.values())
    if not total:
        return None
    right = sum(row.get(label, 0) for label, row in confusion.items())
    unknown = sum(row.get(UNKNOWN_FAULT, 0) for row in confusion.values())
    shares = [row.get(label, 0) / sum(row.values()) for label, row in confusion.items() if row]
    strangers = _strangers(known, normals, labels)
    return FaultFigures(
        clips=total,
        named=right / total,
        unknown=unknown / total,
        wrong=(total - right - unknown) / total,
        balanced=float(np.mean(shares)),
        strangers=len(strangers),
        strangers_unknown=float(np.mean(strangers)) if strangers else None,
        confusion=confusion,
    )


def _strangers(clips: Sequence[HeardFault], normals: Sequence[FloatArray], labels: Sequence[str]) -> list[bool]:
    """Whether clips of a fault that nobody labelled before are answered `unknown`."""
    answers = []
    for label in labels if len(labels) > 1 else ():
        prototypes = fit_faults([clip for clip in clips if clip.label != label], normals)
        if prototypes is not None:
            said = [prototypes.guess(clip.embeddings) for clip in clips if clip.label == label]
            answers += [guess.label == UNKNOWN_FAULT for guess in said if guess is not None]
    return answers


def _usable(clips: Sequence[HeardFault]) -> tuple[str, ...]:
    groups: dict[str, set[str]] = {}
    for clip in clips:
        groups.setdefault(clip.label, set()).add(clip.group)
    often = sorted(
        (label for label, found in groups.items() if len(found) >= MIN_GROUPS), key=lambda n: -len(groups[n])
    )
    return tuple(sorted(often[:MAX_FAULTS]))


def _centre(directions: FloatArray) -> FloatArray:
    return np.asarray(unit(directions.mean(axis=0, keepdims=True))[0], np.float32)


def _with_temperature(prototypes: FaultPrototypes, distances: FloatArray, own: NDArray[np.int64]) -> FaultPrototypes:
    """The temperature of the least negative log likelihood of the held-out clips' own labels."""

    def loss(temperature: float) -> float:
        candidate = FaultPrototypes(
            prototypes.labels, prototypes.origin, prototypes.centres, prototypes.limits, temperature
        )
        likelihoods = [candidate.probabilities(row)[place] for row, place in zip(distances, own, strict=True)]
        return float(-np.log(np.maximum(likelihoods, 1e-9)).mean())

    best = min((float(value) for value in _TEMPERATURES), key=loss)
    return FaultPrototypes(prototypes.labels, prototypes.origin, prototypes.centres, prototypes.limits, best)
