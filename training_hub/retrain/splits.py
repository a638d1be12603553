"""Which clips teach, commission and judge: never a recording, nor a gateway's day, on two sides.

A machine must not be commissioned on the clips that its type's prior was fitted on: the prior has seen how they
scatter, takes them for more normal than any other clip of the machine, and the calibration comes out far too strict
(measured: six of ten held-out normal windows above the score that one in ten is meant to exceed).
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from training_hub.retrain.clips import KnownClip

Side = Literal["commission", "held_out", "teach"]
_SHARES: dict[Side, float] = {"commission": 0.3, "held_out": 0.35, "teach": 0.35}
"""In the order in which a machine with few groups fills them."""
LEAST_TO_COMMISSION = 4
"""Clips that a machine is commissioned on before any teaches."""


@dataclass(frozen=True)
class Division:
    """Clips that teach, that commission, that judge.

    Attributes:
        teach: Ids of normal clips that types, weights and the encoder are learnt from.
        commission: Ids of normal clips that machines are commissioned on, to be judged.
        held_out: Ids of normal clips to judge on.
        anomalies: Ids of anomalous clips: they judge, and teach the names of faults alone.
        groups: What each clip belongs to, by its id.
        undivided: Machines whose normal clips are all of one recording: nothing of them can be held out.
        seed: It was drawn with.
    """

    teach: tuple[str, ...]
    commission: tuple[str, ...]
    held_out: tuple[str, ...]
    anomalies: tuple[str, ...]
    groups: Mapping[str, str]
    undivided: tuple[str, ...]
    seed: int

    @property
    def digest(self) -> str:
        """SHA-256 over who is on which side."""
        return hashlib.sha256(json.dumps(self.sides(), sort_keys=True).encode()).hexdigest()

    def sides(self) -> dict[str, list[str]]:
        """Ids by side, sorted."""
        return {
            "teach": sorted(self.teach),
            "commission": sorted(self.commission),
            "held_out": sorted(self.held_out),
            "anomalies": sorted(self.anomalies),
        }


def divide(clips: Sequence[KnownClip], seed: int) -> Division:
    """Divide clips by whole groups: of each machine's normal clips about a third each commission, judge and teach.

    A machine with two groups commissions and is judged; one with a single group commissions, and nothing is held out.
    A group is what hangs together by a recording or a gateway's day, also across machines: one microphone may hear two.
    The draw hangs on the seed and the groups' names alone, so more clips change little of it.
    """
    groups = group_clips(clips)
    side: dict[str, Side] = {}
    undivided = []
    by_machine: dict[str, list[KnownClip]] = {}
    normal = [clip for clip in clips if not clip.anomalous]
    for clip in normal:
        by_machine.setdefault(clip.machine, []).append(clip)
    # machines with few groups choose first: another's choice must not leave them without a side
    for machine in sorted(by_machine, key=lambda name: (len(_names(by_machine[name], groups)), name)):
        sizes = Counter(groups[clip.clip_id] for clip in by_machine[machine])
        have = {each: sum(n for name, n in sizes.items() if side.get(name) == each) for each in _SHARES}
        for name in sorted((name for name in sizes if name not in side), key=lambda name: _draw(seed, name)):
            side[name] = _emptiest(have, sum(sizes.values()))
            have[side[name]] += sizes[name]
        if len(sizes) < len(_SHARES) - 1:
            undivided.append(machine)

    def ids(wanted: Side) -> tuple[str, ...]:
        return tuple(clip.clip_id for clip in normal if side[groups[clip.clip_id]] == wanted)

    return Division(
        teach=ids("teach"),
        commission=ids("commission"),
        held_out=ids("held_out"),
        anomalies=tuple(clip.clip_id for clip in clips if clip.anomalous),
        groups=groups,
        undivided=tuple(sorted(undivided)),
        seed=seed,
    )


def group_clips(clips: Iterable[KnownClip]) -> dict[str, str]:
    """The group of each clip, by its id: joined by recordings and days, named after the first of them."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    listed = list(clips)
    for clip in listed:
        first, other = root(f"recording {clip.recording}"), root(f"day {clip.day}") if clip.day else None
        if other is not None and other != first:
            parent[max(first, other)] = min(first, other)
    return {clip.clip_id: root(f"recording {clip.recording}") for clip in listed}


def _names(clips: Iterable[KnownClip], groups: Mapping[str, str]) -> set[str]:
    return {groups[clip.clip_id] for clip in clips}


def _draw(seed: int, name: str) -> str:
    return hashlib.sha256(f"split/{seed}/{name}".encode()).hexdigest()


def _emptiest(have: Mapping[Side, int], total: int) -> Side:
    """The first side that has nothing, else the one that lacks the most; nobody teaches before others can be judged."""
    if have["commission"] and have["held_out"] and have["commission"] < LEAST_TO_COMMISSION:
        return "commission"
    for side in _SHARES:
        if not have[side]:
            return side
    return max(_SHARES, key=lambda side: _SHARES[side] * total - have[side])
