import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.detection.alarm import AlarmMachine, AlarmPhase, AlarmState
from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.verdict import HealthCode, HealthFinding, Verdict

HOP_NS = 10_000_000_000
THREE_OF_FIVE = AlarmBudget(raise_after=3, raise_within=5)
DEAD = HealthFinding(HealthCode.DEAD, True, "silence")
CLIPPED = HealthFinding(HealthCode.CLIPPED, False, "clipped")


def verdict(score: float, *health: HealthFinding, threshold: float = 2.0) -> Verdict:
    blocked = any(finding.blocking for finding in health)
    return Verdict(score, threshold, 50.0, (), (), health, 0, "clip", score >= threshold and not blocked)


def play(machine: AlarmMachine, scores: list[float], start: int = 0) -> list[AlarmState]:
    return [machine.update(verdict(score), (start + i) * HOP_NS) for i, score in enumerate(scores)]


def test_three_of_five_raise() -> None:
    states = play(AlarmMachine(THREE_OF_FIVE), [3, 0, 3, 0, 3])
    assert [state.raised for state in states] == [False] * 4 + [True]
    episode = states[-1].episode
    assert episode is not None
    assert (episode.number, episode.raised_ns, episode.first_anomalous_ns) == (1, 4 * HOP_NS, 0)
    assert episode.anomalous_windows == 3 and episode.ended_ns is None


def test_three_of_six_do_not() -> None:
    assert not any(state.raised for state in play(AlarmMachine(THREE_OF_FIVE), [3, 3, 0, 0, 0, 3, 0, 0, 3]))


def test_a_score_within_the_hysteresis_neither_feeds_nor_ends_an_alarm() -> None:
    machine = AlarmMachine(AlarmBudget(raise_after=3, raise_within=5, clear_after=3, hysteresis=0.1))
    play(machine, [3, 3, 3])
    states = play(machine, [0, 0, 1.9, 0, 0, 0], start=3)
    assert [state.cleared for state in states] == [False] * 5 + [True]
    assert states[-1].phase is AlarmPhase.NORMAL
    assert states[-1].episode is not None and states[-1].episode.ended_ns == 8 * HOP_NS


def test_peak_is_kept() -> None:
    machine = AlarmMachine(THREE_OF_FIVE)
    state = play(machine, [3, 5, 3, 9, 4])[-1]
    assert state.episode is not None
    assert (state.episode.peak_score, state.episode.peak_ns) == (9, 3 * HOP_NS)
    assert state.episode.anomalous_windows == 5


def test_the_next_alarm_is_another_episode() -> None:
    machine = AlarmMachine(AlarmBudget(raise_after=3, raise_within=5, clear_after=2))
    last = play(machine, [3, 3, 3, 0, 0, 3, 3, 3])[-1]
    assert last.raised and last.episode is not None and last.episode.number == 2


def test_an_unfit_input_raises_and_ends_nothing() -> None:
    machine = AlarmMachine(AlarmBudget(raise_after=3, raise_within=5, clear_after=2))
    for i in range(10):
        assert not machine.update(verdict(9.0, DEAD), i * HOP_NS).raised
    play(machine, [3, 3, 3], start=10)
    for i in range(13, 30):
        assert machine.update(verdict(0.0, DEAD), i * HOP_NS).phase is AlarmPhase.ACTIVE


def test_a_finding_that_does_not_block_changes_nothing() -> None:
    machine = AlarmMachine(AlarmBudget(raise_after=1, raise_within=1))
    assert machine.update(verdict(3.0, CLIPPED), 0).raised


def test_windows_before_a_long_gap_do_not_count() -> None:
    machine = AlarmMachine(THREE_OF_FIVE)
    play(machine, [3, 3])
    assert not machine.update(verdict(3.0), 100 * HOP_NS).raised


def test_a_latched_alarm_waits_for_a_person() -> None:
    machine = AlarmMachine(AlarmBudget(raise_after=3, raise_within=5, clear_after=2, latch=True))
    state = play(machine, [3, 3, 3, 0, 0, 0])[-1]
    assert state.phase is AlarmPhase.LATCHED and not state.cleared
    assert state.episode is not None and state.episode.ended_ns == 4 * HOP_NS
    assert machine.acknowledge().cleared and machine.state.phase is AlarmPhase.NORMAL


def test_a_latched_alarm_that_comes_back_is_the_same_episode() -> None:
    machine = AlarmMachine(AlarmBudget(raise_after=3, raise_within=5, clear_after=2, latch=True))
    state = play(machine, [3, 3, 3, 0, 0, 4])[-1]
    assert state.phase is AlarmPhase.ACTIVE and state.episode is not None
    assert state.episode.number == 1 and state.episode.ended_ns is None and state.episode.peak_score == 4


def test_an_open_episode_survives_a_restart() -> None:
    first = AlarmMachine(THREE_OF_FIVE)
    open_episode = play(first, [3, 3, 3])[-1].episode
    second = AlarmMachine(AlarmBudget(raise_after=3, raise_within=5, clear_after=1), last=open_episode)
    assert second.state.phase is AlarmPhase.ACTIVE
    state = second.update(verdict(0.0), 4 * HOP_NS)
    assert state.cleared and state.episode is not None and state.episode.number == 1


@given(st.lists(st.floats(0.0, 5.0), max_size=60), st.integers(1, 4), st.integers(0, 4), st.booleans())
def test_any_stream_keeps_the_rules(scores: list[float], k: int, more: int, latch: bool) -> None:
    budget = AlarmBudget(raise_after=k, raise_within=k + more, clear_after=2, latch=latch)
    machine, number = AlarmMachine(budget), 0
    for i, score in enumerate(scores):
        before = machine.state.phase
        state = machine.update(verdict(score), i * HOP_NS)
        if state.raised:
            number += 1
            recent = [s >= 2.0 for s in scores[max(0, i - k - more + 1) : i + 1]]
            assert before is AlarmPhase.NORMAL and score >= 2.0 and sum(recent) >= k
        assert (state.episode.number if state.episode else 0) == number


@pytest.mark.parametrize("k", [1, 3])
def test_raising_is_exactly_k(k: int) -> None:
    states = play(AlarmMachine(AlarmBudget(raise_after=k, raise_within=5)), [3.0] * 5)
    assert [state.raised for state in states].index(True) == k - 1
