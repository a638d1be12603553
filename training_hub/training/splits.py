"""Which recordings train and which test: by group, the same for everyone who asks."""

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

from training_hub.training.recording import Recording

TEST_SHARE = 0.2


def held_out_groups(recordings: Iterable[Recording], share: float = TEST_SHARE) -> frozenset[tuple[str, str]]:
    """The `(machine_id, group)` pairs that no training may see.

    Of every machine with two groups or more, the given share, at least one; a machine with a single group is trained on
    whole, and nothing is measured on it. The choice hangs on the names alone: more machines or another order change
    nothing for the others.
    """
    groups: dict[str, set[str]] = defaultdict(set)
    for recording in recordings:
        if recording.is_trainable:
            groups[recording.machine_id].add(recording.group)
    held: set[tuple[str, str]] = set()
    for machine_id, names in groups.items():
        if len(names) >= 2:
            ordered = sorted(names, key=lambda name: hashlib.sha256(f"{machine_id}/{name}".encode()).digest())
            held.update((machine_id, name) for name in ordered[: max(1, math.floor(share * len(ordered)))])
    return frozenset(held)


def split(recordings: Sequence[Recording]) -> tuple[list[Recording], list[Recording]]:
    """Trainable recordings in `(train, test)`; background and anomalies are in neither."""
    held = held_out_groups(recordings)
    train: list[Recording] = []
    test: list[Recording] = []
    for recording in recordings:
        if recording.is_trainable:
            (test if (recording.machine_id, recording.group) in held else train).append(recording)
    return train, test


def teaches_background(group: str) -> bool:
    """Whether a group of recorded background may serve as noise in training; evaluation keeps the others."""
    return hashlib.sha256(f"background/{group}".encode()).digest()[0] % 2 == 0
