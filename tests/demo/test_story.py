"""What the table tells of events and metrics."""

from typing import Any

import pytest

from edge_agent.delivery.events import Event, make_event
from edge_agent.delivery.fields import rfc3339
from edge_agent.delivery.result import Anomaly, BandContribution, BundleRef, ResultData
from edge_agent.delivery.states import AlarmData
from edge_agent.demo.plant import Plant
from edge_agent.demo.reading import Reading
from edge_agent.demo.show import verdict
from edge_agent.demo.story import Story
from edge_agent.demo.words import ledger

_START_NS = 1_700_000_000_000_000_000
_BUNDLE = BundleRef(name="default", version="1", sha256="0" * 64)
_PLANT = Plant(healthy_s=20, failing_s=40)


def _anomaly(score: float) -> Anomaly:
    bands = tuple(BandContribution(centre_hz=hz, contribution=part) for hz, part in ((100.0, -0.1), (2000.0, 0.3)))
    return Anomaly(score=score, threshold=2.0, percentile=99.0, detectors=(), bands=bands)


def _stamp(start_s: float) -> str:
    return rfc3339(_START_NS + round(start_s * 1e9))


def _event(number: int, data: ResultData | AlarmData) -> Event[Any]:
    event_id = f"{number:026d}"
    return make_event(data, event_id=event_id, source="/demo/gw", subject=data.machine, time=_stamp(0))


def _result(number: int, score: float) -> Event[Any]:
    data = ResultData(
        machine="pump_1", window_start=_stamp(10.0 * number), window_s=10.0, coverage=1.0, level_dbfs=-30.0,
        identity=None, anomaly=_anomaly(score), state="normal" if score < 2 else "suspect", alarm=None, input_health=(),
        bundle=_BUNDLE, clock_synced=True,
    )  # fmt: skip
    return _event(number, data)


def _alarm(number: int, at_s: float, state: str = "unacknowledged") -> Event[Any]:
    data = AlarmData(
        machine="pump_1", alarm=f"{number:026d}", state=state, kind="anomaly", severity="medium",
        raised_at=_stamp(at_s), changed_at=_stamp(at_s), shelved_until=None, operator=None,
        anomaly=_anomaly(3.0), input_health=(),
        text="it whistles", clock_synced=True,
    )  # fmt: skip
    return _event(number, data)


def _reading(**changes: object) -> Reading:
    values = {
        "captured": 160_000, "scored": 160_000, "skipped": 0, "lost": 0, "pending": 0, "windows": 6, "published": 7,
        "waiting": 0, "score": 1.0, "threshold": 2.0, "level_dbfs": -30.0, "alarm": False,
    }  # fmt: skip
    return Reading(**{**values, **changes})


def _story(alarm_at_s: float | None) -> Story:
    story = Story(10.0, _PLANT.severity_at)
    story.take(_result(number, 0.5) for number in range(6))
    if alarm_at_s is not None:
        story.take([_alarm(90, alarm_at_s)])
    story.reading = _reading()
    return story


def test_a_repeated_event_counts_once() -> None:
    story = Story(10.0, _PLANT.severity_at)
    story.take([_result(0, 0.5), _result(1, 0.5), _result(1, 0.5)])
    assert (story.received, story.results, len(story.rows)) == (2, 2, 2)


def test_rows_know_what_the_agent_cannot() -> None:
    rows = _story(None).rows
    assert [row.start_s for row in rows] == [0, 10, 20, 30, 40, 50]
    assert [row.severity for row in rows] == [0, 0, 0.25**3, 0.5**3, 0.75**3, 1]


def test_only_bands_that_speak_for_a_fault_are_named() -> None:
    assert [band.centre_hz for band in _story(None).rows[0].leading_bands] == [2000.0]


def test_an_alarm_is_raised_once_and_cleared() -> None:
    story = _story(30.0)
    story.take([_alarm(91, 40.0), _alarm(92, 50.0, "normal")])
    assert [alarm.start_s for alarm in story.alarms] == [30.0]
    assert not story.alarm_on


@pytest.mark.parametrize(
    ("alarm_at_s", "succeeded", "words"),
    [
        pytest.param(30.0, True, "Alarm raised 20 s of sound after the fault began", id="in the fault"),
        pytest.param(10.0, False, "while the pump was healthy", id="false alarm"),
        pytest.param(None, False, "no alarm was raised", id="missed"),
    ],
)
def test_verdict(alarm_at_s: float | None, succeeded: bool, words: str) -> None:
    told = verdict(_story(alarm_at_s), _PLANT)
    assert told[0] is succeeded
    assert words in told[1]


def test_no_result_is_a_failure() -> None:
    assert verdict(Story(10.0, _PLANT.severity_at), _PLANT) == (False, "FAILED: no result arrived.")


@pytest.mark.parametrize("wrong", [{"lost": 1, "scored": 159_999}, {"pending": 1}])
def test_a_lost_sample_is_a_failure(wrong: dict[str, int]) -> None:
    story = _story(30.0)
    story.reading = _reading(**wrong)
    assert verdict(story, _PLANT)[0] is False


def test_ledger_says_when_it_does_not_balance() -> None:
    assert ledger(_reading()) == "10.0 s = 10.0 scored + 0.0 skipped + 0.0 lost + 0.0 pending"
    assert " != " in ledger(_reading(pending=16_000))


def test_metrics_alone_tell_windows_until_the_events_come() -> None:
    story = Story(10.0, _PLANT.severity_at)
    assert [row.state for row in story.glimpse(_reading(windows=1))] == ["normal"]
    assert story.glimpse(_reading(windows=1)) == []
    assert [row.start_s for row in story.glimpse(_reading(windows=3, score=4.0, alarm=True))] == [20.0]
    story.begin_again()
    story.take([_result(0, 0.5), _alarm(90, 30.0)])
    assert len(story.rows) == len(story.alarms) == 1
