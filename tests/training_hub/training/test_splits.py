from dataclasses import replace

import pytest

from training_hub.training.recording import Recording
from training_hub.training.splits import held_out_groups, split


def test_no_group_is_on_both_sides(recordings: list[Recording]) -> None:
    train, test = split(recordings)
    assert {(r.machine_id, r.group) for r in train}.isdisjoint((r.machine_id, r.group) for r in test)
    assert {r.machine_id for r in train} == {r.machine_id for r in test} == {f"sim_m{k}" for k in range(4)}
    assert len(train) + len(test) == 20


def test_the_choice_does_not_depend_on_order_or_on_other_machines(recordings: list[Recording]) -> None:
    whole = held_out_groups(recordings)
    assert held_out_groups(reversed(recordings)) == whole
    alone = held_out_groups(r for r in recordings if r.machine_id == "sim_m2")
    assert alone == {pair for pair in whole if pair[0] == "sim_m2"}


def test_a_machine_with_one_group_is_trained_on_whole(recordings: list[Recording]) -> None:
    one = [replace(r, group="only") for r in recordings if r.machine_id == "sim_m1"]
    train, test = split(one)
    assert (len(train), len(test)) == (5, 0)


@pytest.mark.parametrize("condition", ["anomaly", "background"])
def test_anomalies_and_background_are_in_neither(recordings: list[Recording], condition: str) -> None:
    kind = "background" if condition == "background" else "fan"
    odd = [replace(r, condition=condition, machine_type=kind) for r in recordings]
    assert split(odd) == ([], [])


def test_every_recording_of_a_held_out_group_is_held_out(recordings: list[Recording]) -> None:
    twice = recordings + [replace(r, name=r.name + "/b") for r in recordings]
    train, test = split(twice)
    assert len(test) % 2 == 0
    assert {r.name.removesuffix("/b") for r in test}.isdisjoint(r.name.removesuffix("/b") for r in train)
