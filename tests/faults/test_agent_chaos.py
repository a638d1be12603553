"""Promise 1 for the whole agent, killed with its broker at random moments. `AGENT_CHAOS_KILLS=200` for the long run."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.agent_chaos import make_plant, run
from tests.faults.agent_verdict import Books, judge
from tests.faults.outbox_witness import Accepted
from tests.support.broker import Heard, needs_mosquitto

KILLS = int(os.environ.get("AGENT_CHAOS_KILLS", "8"))


@needs_mosquitto
@pytest.mark.end_to_end
@pytest.mark.timeout(240 + 30 * KILLS)
def test_no_accepted_event_of_a_killed_agent_is_lost(tmp_path: Path) -> None:
    verdict = run(tmp_path, make_plant(tmp_path / "plant"), kills=KILLS, seed=3)
    assert verdict.kept_its_promise, verdict
    assert verdict.agent_kills > 0
    assert verdict.broker_kills > 0
    assert verdict.alarms > 0
    assert verdict.windows > 5 * KILLS  # much was under way at each


def _event(number: int, start: str, score: float = 1.0) -> Accepted:
    payload = {
        "id": f"id{number}",
        "data": {"machine": "pump_1", "window_start": start, "score": score, "replayed": False},
    }
    return Accepted(1, f"id{number}", "m/pump_1/result", json.dumps(payload).encode(), gone=True)


def _heard(event: Accepted) -> Heard:
    replayed = event.payload.replace(b'"replayed": false', b'"replayed": true')
    return Heard(event.topic, replayed, retained=False, expiry_s=None)


EVENTS = [_event(n, f"2026-01-01T00:0{n // 6}:{10 * (n % 6):02}Z") for n in range(12)]
HEARD = [_heard(event) for event in EVENTS]
AGAIN = replace(EVENTS[0], event_id="again", payload=EVENTS[0].payload.replace(b"id0", b"again"))


def _word(alarm: str, event_id: str) -> bytes:
    return json.dumps({"id": event_id, "data": {"alarm": alarm, "state": "unacknowledged", "replayed": False}}).encode()


ALARM = Accepted(1, "a1", "m/pump_1/alarm", _word("of", "a1"), gone=True)


def _standing(event_id: str, *, announce: bool) -> Accepted:
    data = {"alarm": "of", "state": "unacknowledged", "announce": announce, "replayed": False}
    return replace(ALARM, event_id=event_id, payload=json.dumps({"id": event_id, "data": data}).encode())


TOLD_AGAIN = [_standing(event_id, announce=False) for event_id in ("b1", "b2")]
ANNOUNCED_AGAIN = [_standing(event_id, announce=True) for event_id in ("c1", "c2")]


@pytest.mark.parametrize(
    ("accepted", "heard", "windows", "wrong"),
    [
        (EVENTS, [*HEARD, HEARD[3]], 12, None),
        (EVENTS, HEARD[1:], 12, "lost"),
        (EVENTS, [*HEARD[1:], replace(HEARD[0], payload=HEARD[0].payload.replace(b"1.0", b"2.0"))], 12, "altered"),
        (EVENTS, [*HEARD, _heard(_event(99, "2026-01-01T01:00:00Z"))], 12, "invented"),
        (EVENTS[:5] + EVENTS[6:], HEARD[:5] + HEARD[6:], 11, "holes"),
        ([*EVENTS, replace(EVENTS[11], event_id="id12")], HEARD, 13, "holes"),
        (EVENTS, HEARD, 14, "untold"),
        ([*EVENTS, AGAIN], [*HEARD, _heard(AGAIN)], 13, "visible_duplicates"),
        ([*EVENTS, ALARM], [*HEARD, _heard(ALARM), _heard(replace(ALARM, payload=_word("of", "a2")))], 12, None),
        ([*EVENTS, *TOLD_AGAIN], [*HEARD, *map(_heard, TOLD_AGAIN)], 12, None),
        ([*EVENTS, *ANNOUNCED_AGAIN], [*HEARD, *map(_heard, ANNOUNCED_AGAIN)], 12, "visible_duplicates"),
        (
            [*EVENTS, ALARM],
            [*HEARD, _heard(ALARM), _heard(replace(ALARM, payload=_word("other", "a2")))],
            12,
            "invented",
        ),
    ],
    ids=[
        "all well",
        "lost",
        "altered",
        "invented",
        "hole",
        "told twice",
        "untold",
        "under two ids",
        "a word on an alarm",
        "told again",
        "announced again",
        "a word on no alarm",
    ],
)
def test_the_judge_sees(accepted: list[Accepted], heard: list[Heard], windows: int, wrong: str | None) -> None:
    verdict = judge(accepted, heard, [Books({"pump_1": windows})], (0, 0))
    assert verdict.kept_its_promise == (wrong is None)
    if wrong is not None:
        assert getattr(verdict, wrong)
