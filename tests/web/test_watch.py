"""From the engine's windows to those of the page."""

from edge_agent.detection.alarm import AlarmMachine
from edge_agent.detection.budget import AlarmBudget
from edge_agent.web.watch import seen_window
from tests.support.windows import event, heard


def test_a_window_that_was_not_scored_stands_under_the_machine_of_its_channel() -> None:
    seen = seen_window(event("mic", 0, None), "pump_1")
    assert (seen.machine, seen.source, seen.state) == ("pump_1", "mic", "rejected")
    assert seen.why == "too much of the window was lost"


def test_where_only_the_sound_tells_it_goes_by_its_source() -> None:
    assert seen_window(event("mic", 0, None), None).machine == "mic"


def test_a_window_that_was_scored_is_of_who_was_heard() -> None:
    seen = seen_window(
        event("mic", 0, heard("fan_1", 0, 1.5, AlarmMachine(AlarmBudget(raise_after=3, raise_within=5)))), "pump_1"
    )
    assert (seen.machine, seen.state, seen.score) == ("fan_1", "normal", 1.5)
