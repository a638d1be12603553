"""What passes, what is refused, what cannot be judged."""

import numpy as np
import pytest

from training_hub.retrain.gate import Gate, compare
from training_hub.retrain.judging import ClipScore, Judged


def judged(
    machine: str, normal: list[float], anomalous: list[float], *, above: int = 0, nominal: int = 0, groups: int = 99
) -> Judged:
    scores = [
        ClipScore(f"n{k}", f"g{k % groups}", False, score, float(k < above), float(k < nominal))
        for k, score in enumerate(normal)
    ]
    scores += [ClipScore(f"a{k}", f"f{k}", True, score, 1.0, 1.0) for k, score in enumerate(anomalous)]
    return Judged(machine, "pump", tuple(scores), 2.0)


NORMAL = [0.1 * k for k in range(20)]
ODD = [1.95 + 0.1 * k for k in range(10)]
WORSE = [1.85, *ODD[1:]]  # one more pair of 200 is the wrong way round: half a point
MUCH_WORSE = [1.05, *ODD[1:]]  # nine more: 4.5 points


def gate(before: Judged, after: Judged, **left_out: str) -> Gate:
    return compare([before], [after], left_out=left_out)


@pytest.mark.parametrize(
    ("after", "verdict", "why"),
    [
        (judged("m", NORMAL, ODD), "kept", ""),
        (judged("m", NORMAL, WORSE), "kept", ""),
        (judged("m", NORMAL, MUCH_WORSE), "lost", "AUC fell by 4.5 points, from 1.000 to 0.955"),
        (judged("m", NORMAL, ODD, above=1), "kept", ""),
        (judged("m", NORMAL, ODD, above=3), "lost", "above the threshold grew from 0.0 % to 15.0 %"),
        (judged("m", NORMAL, ODD, nominal=8), "lost", "score of one in ten grew from 10.0 % to 40.0 %"),
    ],
    ids=["the same", "half a point", "4.5 points", "one clip more", "three clips more", "worse calibrated"],
)
def test_a_loss_is_told_from_chance(after: Judged, verdict: str, why: str) -> None:
    found = gate(judged("m", NORMAL, ODD, nominal=2), after)
    assert found.machines[0].verdict == verdict
    assert why in found.machines[0].why
    assert found.passed == (verdict == "kept")
    assert found.worst == "m"


def test_a_quarter_more_false_alarms_is_too_many_and_less_is_not() -> None:
    many = [0.01 * k for k in range(200)]
    before = judged("m", many, ODD, above=20)
    assert gate(before, judged("m", many, ODD, above=25)).passed
    assert not gate(before, judged("m", many, ODD, above=26)).passed


def test_one_bad_machine_refuses_the_bundle_and_stands_first() -> None:
    before = [judged(name, NORMAL, ODD) for name in ("a", "b", "c")]
    after = [before[0], judged("b", NORMAL, MUCH_WORSE), before[2]]
    found = compare(before, after, left_out={})
    assert not found.passed
    assert found.machines[0].machine == found.worst == "b"
    assert [line.partition(":")[0] for line in found.why] == ["b"]


@pytest.mark.parametrize(
    ("before", "why"),
    [
        (judged("m", NORMAL[:5], ODD), "5 normal clips of 5 recordings"),
        (judged("m", NORMAL, ODD, groups=1), "20 normal clips of 1 recordings"),
    ],
    ids=["few clips", "one recording"],
)
def test_too_few_clips_are_named_and_judge_nobody(before: Judged, why: str) -> None:
    found = gate(before, before)
    assert found.machines[0].verdict == "too few clips"
    assert why in found.machines[0].why
    assert not found.passed
    assert found.why[0].startswith("no machine has clips enough")


def test_machines_of_which_nothing_was_held_out_are_named() -> None:
    found = gate(judged("m", NORMAL, ODD), judged("m", NORMAL, ODD), lathe="one recording")
    assert found.passed
    assert found.why == ("lathe: not judged, one recording",)


def test_a_machine_that_cannot_be_commissioned_any_more_is_lost() -> None:
    found = gate(judged("m", NORMAL, ODD), Judged("m", "pump", (), None, "two states"))
    assert not found.passed
    assert "cannot be commissioned any more: two states" in found.machines[0].why


def test_the_uncertainty_is_said() -> None:
    item = gate(judged("m", NORMAL, ODD), judged("m", NORMAL, WORSE)).machines[0]
    assert item.auc_change is not None and item.auc_change_low is not None and item.auc_change_high is not None
    assert item.auc_change_low <= item.auc_change <= item.auc_change_high
    assert "chance alone may explain it" in item.uncertainty
    assert "up to 15 % possible" in item.uncertainty


def test_a_large_loss_over_many_recordings_is_more_than_chance() -> None:
    rng = np.random.default_rng(1)
    normal, odd = rng.normal(0, 1, 80).tolist(), rng.normal(3, 1, 80).tolist()
    found = gate(judged("m", normal, odd), judged("m", normal, (np.array(odd) - 2.5).tolist())).machines[0]
    assert found.verdict == "lost"
    assert "more than chance" in found.uncertainty
