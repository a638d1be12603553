"""Events as a gateway sends them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from edge_agent.delivery.events import Data, make_event
from edge_agent.delivery.fields import rfc3339
from edge_agent.delivery.result import Anomaly, BundleRef, ResultData
from edge_agent.delivery.states import AlarmData, HealthData, StatusData
from edge_agent.delivery.ulid import encode_ulid
from tests.support.clips import BUNDLE, START


def ulid(number: int) -> str:
    """An id; later numbers sort later."""
    return encode_ulid((1_770_000_000_000 << 80) + number)


def time_of(seconds: float) -> str:
    """Seconds after `START`."""
    return rfc3339(int((START + timedelta(seconds=seconds)).timestamp() * 1e6) * 1000)


def event_of(
    data: Data, number: int, *, site: str = "plant_1", gateway: str = "gw_1", at_s: float = 0.0
) -> dict[str, Any]:
    """The CloudEvent, as JSON."""
    event = make_event(data, event_id=ulid(number), source=f"/{site}/{gateway}", subject="x", time=time_of(at_s))
    found: dict[str, Any] = json.loads(event.to_json())
    return found


def result(
    number: int,
    *,
    machine: str = "pump_1",
    score: float = 1.0,
    percentile: float = 50.0,
    **where: Any,  # noqa: ANN401
) -> dict[str, Any]:
    """A result of a machine with a threshold of 6."""
    anomaly = Anomaly(score=score, threshold=6.0, percentile=percentile, detectors=(), bands=())
    at_s = 10.0 * number
    data = ResultData(
        machine=machine, window_start=time_of(at_s), window_s=10.0, coverage=1.0, level_dbfs=-30.0, identity=None,
        anomaly=anomaly, state="suspect" if score >= 6 else "normal", alarm=None, input_health=(),
        bundle=BundleRef(**BUNDLE), clock_synced=True,
    )  # fmt: skip
    return event_of(data, number, at_s=at_s, **where)


def alarm(
    event_number: int,
    *,
    number: int,
    state: Any,  # noqa: ANN401
    changed_s: float = 0.0,
    machine: str = "pump_1",
    **where: Any,  # noqa: ANN401
) -> dict[str, Any]:
    """Alarm `number` after a change."""
    data = AlarmData(
        machine=machine, alarm=ulid(900_000 + number), state=state, kind="anomaly", severity="high",
        raised_at=time_of(0), changed_at=time_of(changed_s), shelved_until=None, operator=None, anomaly=None,
        input_health=(), text="it whines", clock_synced=True,
    )  # fmt: skip
    return event_of(data, event_number, at_s=changed_s, **where)


def plant_event(event_number: int, *, number: int) -> dict[str, Any]:
    """All machines at once."""
    data = AlarmData(
        machine="gw_1", alarm=ulid(900_000 + number), state="unacknowledged", kind="plant_event", severity="critical",
        raised_at=time_of(0), changed_at=time_of(0), shelved_until=None, operator=None, anomaly=None,
        input_health=(), text="all at once", clock_synced=True, machines=("pump_1", "pump_2"),
    )  # fmt: skip
    return event_of(data, event_number)


def health(number: int, *, index: float, zone: Any, at_s: float, machine: str = "pump_1") -> dict[str, Any]:  # noqa: ANN401
    """A health assessment."""
    data = HealthData(
        machine=machine, assessed_at=time_of(at_s), index=index, zone=zone, windows=100, trend_per_day=None,
        days_to_limit=None, clock_synced=True,
    )  # fmt: skip
    return event_of(data, number, at_s=at_s)


def status(number: int) -> dict[str, Any]:
    """The gateway's birth."""
    data = StatusData(
        gateway="gw_1", state="online", reason="connected", agent_version="0.1.0", started_at=time_of(0), bundle=None,
        machines=("pump_1",), clock_synced=True,
    )  # fmt: skip
    return event_of(data, number)
