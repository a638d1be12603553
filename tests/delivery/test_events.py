from __future__ import annotations

import json
import time
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest
from pydantic import ValidationError

from edge_agent.delivery.errors import DeliveryError
from edge_agent.delivery.events import Data, EventKind, as_replayed, json_schema, make_event, parse_event
from edge_agent.delivery.fields import rfc3339
from edge_agent.delivery.result import ResultData
from edge_agent.delivery.schema import SCHEMA_DIRECTORY, schemas
from tests.delivery import samples

EVERY_KIND: dict[EventKind, Data] = {
    EventKind.RESULT: samples.result(),
    EventKind.ALARM: samples.alarm(),
    EventKind.HEALTH: samples.health(),
    EventKind.SOURCE_STATE: samples.source_state(),
    EventKind.STATUS: samples.status(),
}


def payload(data: Data) -> bytes:
    return make_event(
        data, event_id=samples.ALARM_ID, source="/north/gw1", subject="fan-1", time=samples.TIME
    ).to_json()


@pytest.mark.parametrize("kind", EventKind)
def test_an_event_round_trips_and_fits_its_schema(kind: EventKind) -> None:
    sent = payload(EVERY_KIND[kind])
    read = parse_event(sent)
    assert read.data == EVERY_KIND[kind]
    assert read.to_json() == sent
    jsonschema.Draft202012Validator(json_schema(kind)).validate(json.loads(sent))


@pytest.mark.parametrize("kind", EventKind)
def test_marking_as_replayed_changes_that_and_nothing_else(kind: EventKind) -> None:
    live = json.loads(payload(EVERY_KIND[kind]))
    replayed = json.loads(as_replayed(payload(EVERY_KIND[kind])))
    assert (live["data"].pop("replayed"), replayed["data"].pop("replayed")) == (False, True)
    assert replayed == live
    assert as_replayed(as_replayed(payload(EVERY_KIND[kind]))) == as_replayed(payload(EVERY_KIND[kind]))


def test_digits_of_another_script_are_no_time() -> None:
    foreign = samples.TIME.replace("2", "\u0662")
    sent = payload(samples.result()).decode().replace(f'"time":"{samples.TIME}"', f'"time":"{foreign}"')
    with pytest.raises(DeliveryError, match="time"):
        parse_event(sent.encode())


def test_what_is_no_event_cannot_be_marked() -> None:
    with pytest.raises(DeliveryError, match="cannot be marked"):
        as_replayed(b'{"data":{"replayed":false}} ')


def test_the_shipped_schemas_are_current() -> None:
    shipped = {path.stem: path.read_text(encoding="utf-8") for path in SCHEMA_DIRECTORY.glob("*.json")}
    assert shipped == schemas(), "run python -m edge_agent.delivery.schema"


def test_a_result_has_exactly_the_agreed_keys() -> None:
    event = json.loads(payload(samples.result()))
    assert list(event) == [
        "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data",
    ]  # fmt: skip
    assert set(event["data"]) == {
        "machine", "window_start", "window_s", "coverage", "level_dbfs", "identity", "anomaly", "state", "alarm",
        "input_health", "bundle", "clock_synced", "replayed",
    }  # fmt: skip
    assert set(event["data"]["anomaly"]) == {
        "score",
        "threshold",
        "percentile",
        "detectors",
        "bands",
    }  # and what applies
    assert set(event["data"]["identity"]) == {"label", "confidence", "top"}
    assert set(event["data"]["bundle"]) == {"name", "version", "sha256"}


def test_replay_adds_file_and_clip() -> None:
    data = json.loads(payload(samples.result(file="a/b.npz", clip=7)))["data"]
    assert (data["file"], data["clip"]) == ("a/b.npz", 7)
    assert "clip" not in json.loads(payload(samples.result(file="a.wav")))["data"]


def test_silence_is_null() -> None:
    assert json.loads(payload(samples.result(level_dbfs=None)))["data"]["level_dbfs"] is None


@pytest.mark.parametrize(
    "changes",
    [
        {"machine": "../etc"},
        {"machine": "a/b"},
        {"machine": "#"},
        {"machine": "fan-1\n"},
        {"window_start": "2026-01-31T12:00:00Z"},
        {"window_start": "2026-01-31T12:00:00.000000+01:00"},
        {"window_s": 0.0},
        {"window_s": "10"},
        {"coverage": 1.01},
        {"level_dbfs": float("nan")},
        {"level_dbfs": float("-inf")},
        {"anomaly": None},
        {"state": "uncommissioned"},
        {"state": "broken"},
        {"clip": -1},
        {"surprise": 1},
    ],
    ids=str,
)
def test_a_result_that_breaks_the_contract_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        samples.result(**changes)


def test_no_score_without_a_profile() -> None:
    assert samples.result(anomaly=None, state="uncommissioned").anomaly is None
    assert samples.result(anomaly=None, state="unknown").anomaly is None


def test_a_model_that_scores_by_itself_has_a_score_before_commissioning_and_no_threshold() -> None:
    bare = type(samples.ANOMALY)(score=11.5, threshold=None, percentile=None, detectors=(), bands=())
    sent = json.loads(payload(samples.result(anomaly=bare, state="uncommissioned")))
    jsonschema.Draft202012Validator(json_schema(EventKind.RESULT)).validate(sent)
    assert sent["data"]["anomaly"]["score"] == 11.5
    assert sent["data"]["anomaly"]["threshold"] is None
    with pytest.raises(ValidationError, match="needs an anomaly score with a threshold"):
        samples.result(anomaly=bare, state="normal")
    with pytest.raises(ValidationError, match="both, or neither"):
        type(samples.ANOMALY)(score=1.0, threshold=2.0, percentile=None, detectors=(), bands=())


@pytest.mark.parametrize("field", ["score", "threshold", "percentile"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_every_number_of_a_score_is_finite(field: str, value: float) -> None:
    with pytest.raises(ValidationError):
        type(samples.ANOMALY)(**{**samples.ANOMALY.model_dump(), field: value})


def test_what_was_validated_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        samples.result().machine = "other"  # type: ignore[misc]  # that is the point


@pytest.mark.parametrize(
    "hostile",
    [b"", b"null", b"{", b'{"type":"edge-agent.result.v1"}', b'{"type":"other"}', b"[" * 10_000, b"\xff\xfe"],
    ids=lambda b: repr(b[:20]),
)
def test_hostile_json_is_a_clear_error(hostile: bytes) -> None:
    with pytest.raises(DeliveryError):
        parse_event(hostile)


def test_a_time_is_written_in_utc_with_microseconds() -> None:
    assert rfc3339(samples.TIME_NS + 1_999) == "2026-01-31T12:00:00.000001Z"


def test_making_and_serialising_an_event_is_fast() -> None:
    values = samples.result().model_dump()
    for name in ("identity", "anomaly", "bundle"):
        values[name] = getattr(samples.result(), name)
    factory = samples.factory()
    best_s = float("inf")
    for _ in range(30):
        begin_s = time.perf_counter()
        for _ in range(20):
            factory.make(ResultData(**values), occurred_ns=samples.TIME_NS)
        best_s = min(best_s, (time.perf_counter() - begin_s) / 20)
    assert best_s < 100e-6, f"{best_s * 1e6:.0f} us an event"
