"""What is old goes, a batch at a time; what something refers to stays; months look as before."""

from __future__ import annotations

import os
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from edge_agent.inference.bundle import load_bundle
from tests.support.clips import START, make_clip
from tests.support.events import alarm, health, result, status, time_of, ulid
from tests.support.hub import Hub
from tests.support.variants import SHIPPED, archive_of
from training_hub.catalogue.labelling import Deed
from training_hub.catalogue.tables import Alarm, AuditEntry, Clip, Event, Job, MachineDay, Run
from training_hub.catalogue.types import utc_now
from training_hub.config.retention import RetentionSection
from training_hub.config.settings import HubSettings
from training_hub.parts import HubParts
from training_hub.retention.files import used
from training_hub.retention.run import remove_old
from training_hub.rollout.adding import add_bundle
from training_hub.sounds.shelf import BundleShelf

LATER = timedelta(days=400)
MONTH = {"since": "2026-02-01", "until": "2026-04-01"}


def _with(hub: Hub, **days: int) -> HubParts:
    """The hub's parts with limits of their own."""
    settings = hub.parts.settings.model_copy(update={"retention": RetentionSection(**days)})
    return HubParts(settings, hub.parts.database, hub.parts.objects, hub.parts.jobs, hub.parts.metrics)


def _remove(hub: Hub, now: datetime | None = None, *, batch: int = 7, **days: int) -> dict[str, int]:
    found: list[float] = []
    limits = {"events_days": 0, "jobs_days": 0, "cache_days": 0} | days
    removed = remove_old(_with(hub, **limits), now or utc_now() + LATER, pause=found.append, batch=batch)
    assert found or not removed, "others may write between batches"
    return removed


def _post(hub: Hub, *events: dict[str, Any]) -> dict[str, Any]:
    answer = hub.gateway().post("/api/v1/events", json={"events": list(events)})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _events(hub: Hub) -> set[str]:
    with hub.parts.database.transaction(writes=False) as session:
        return set(session.scalars(select(Event.id)))


def _age(hub: Hub, *ids: str, days: float) -> None:
    """As if they had come so long ago."""
    with hub.parts.database.transaction() as session:
        received_at = utc_now() - timedelta(days=days)
        session.execute(update(Event).where(Event.id.in_(ids)).values(received_at=received_at))


def _counted(hub: Hub, name: str, **labels: str) -> float:
    return hub.parts.registry.get_sample_value(name, labels) or 0.0


def test_old_events_go_and_the_months_look_as_before(hub: Hub) -> None:
    """30 hours of results, one every ten minutes, and what the machine page and the API make of them."""
    numbers = range(60, 60 * 180, 60)
    for first in range(0, len(numbers), 50):
        _post(hub, *(result(n, score=n % 9, percentile=n % 100) for n in numbers[first : first + 50]))
    _post(hub, health(100_000, index=0.4, zone="C", at_s=7200), status(100_001))
    viewer = hub.person("viewer")

    def months() -> Any:  # noqa: ANN401
        machine = viewer.get("/api/v1/machines").json()["machines"][0]
        answer = viewer.get(f"/api/v1/machines/{machine['id']}", params=MONTH)
        page = viewer.get(f"/machines/{machine['id']}", params={"days": 1100})
        assert (answer.status_code, page.status_code) == (200, 200), answer.text + page.text
        return answer.json(), re.sub(r"nonce=.*?[ >]", "", page.text)

    before = months()
    assert sum(day["windows"] for day in before[0]["days"]) == len(numbers)
    assert _remove(hub, events_days=90) == {"events": len(numbers) + 2}
    assert _events(hub) == set()
    assert months() == before
    assert _counted(hub, "training_hub_retention_removed_total", what="events") == len(numbers) + 2
    with hub.parts.database.transaction(writes=False) as session:
        told = session.scalars(select(AuditEntry).where(AuditEntry.action == "retention.remove")).one()
        assert (told.actor, told.detail) == ("hub", {"events": len(numbers) + 2})
    assert _remove(hub, events_days=90) == {}, "once more: nothing is left"


def test_a_gateway_that_sends_removed_events_again_is_not_counted_twice(hub: Hub) -> None:
    batch = [result(1), result(2), health(3, index=0.5, zone="B", at_s=30)]
    _post(hub, *batch)
    _age(hub, *(ulid(n) for n in (1, 2, 3)), days=100)
    _remove(hub, utc_now(), events_days=90)
    assert _events(hub) == set()
    late = result(4)  # of the same day, for the first time: the day is settled
    other = event_of_day(2, number=5)
    assert _post(hub, *batch, late, other) == {"accepted": 1, "repeated": 4, "refused": []}
    assert _events(hub) == {ulid(5)}
    assert _counted(hub, "training_hub_events_total", via="http", outcome="settled") == 4
    with hub.parts.database.transaction(writes=False) as session:
        days = session.execute(select(MachineDay.day, MachineDay.windows, MachineDay.zone).order_by(MachineDay.day))
        assert [tuple(day) for day in days] == [
            (START.date(), 2, "B"),
            (START.date() + timedelta(days=2), 1, None),
        ]


def event_of_day(days: int, *, number: int) -> dict[str, Any]:
    """A result, days later than the others."""
    sample = result(number)
    at = time_of(86_400 * days)
    return sample | {"time": at, "data": sample["data"] | {"window_start": at}}


def test_what_an_alarm_or_a_label_refers_to_stays(hub: Hub) -> None:
    """An alarm at 0 s; a clip labelled normal 5 h later; results every ten minutes until 10 h later."""
    numbers = range(0, 3600, 60)
    _post(hub, *(result(n + 1, score=1.0) for n in numbers))
    _post(hub, *(result(n + 10_001, machine="pump_2") for n in numbers))
    _post(hub, alarm(100_000, number=1, state="unacknowledged"), alarm(100_001, number=1, state="normal"))
    labelled, plain = make_clip(600, machine="pump_2"), make_clip(240, machine="pump_2")  # after 5 h, after 2 h
    for clip in (labelled, plain):
        assert clip.put(hub.gateway()).status_code == 201
    answer = hub.person("operator").post("/api/v1/clips/label", json={"ids": [labelled.id], "label": "normal"})
    assert answer.status_code == 200, answer.text
    _remove(hub, events_days=90)
    around_alarm = {ulid(n + 1) for n in numbers if 10 * (n + 1) <= 3600}
    around_clip = {ulid(n + 10_001) for n in numbers if abs(10 * (n + 10_001) - 5 * 3600) <= 60}
    assert around_alarm <= _events(hub)
    assert _events(hub) == around_alarm | around_clip | {ulid(100_000), ulid(100_001)}
    with hub.parts.database.transaction(writes=False) as session:
        assert session.scalar(select(func.count()).select_from(Alarm)) == 1


def test_age_is_told_by_when_it_came_and_a_clock_ahead_keeps_nothing(hub: Hub) -> None:
    ahead = event_of_day(20_000, number=2)
    _post(hub, result(1), ahead)
    assert _remove(hub, utc_now() + timedelta(days=10), events_days=90) == {}, "they came ten days ago"
    assert _remove(hub, events_days=90) == {"events": 2}


def test_it_stops_between_batches_and_goes_on_the_next_time(hub: Hub) -> None:
    _post(hub, *(result(n) for n in range(1, 41)))
    parts = _with(hub, events_days=90, jobs_days=0)
    assert remove_old(parts, utc_now() + LATER, stopped=lambda: True, pause=lambda _: None, batch=10) == {"events": 10}
    assert len(_events(hub)) == 30
    assert remove_old(parts, utc_now() + LATER, pause=lambda _: None, batch=10) == {"events": 30}


def test_jobs_that_ended_go_unless_a_training_names_them(hub: Hub) -> None:
    old = utc_now() - timedelta(days=400)
    with hub.parts.database.transaction() as session:
        for number, (state, at) in enumerate(
            [("done", old), ("failed", old), ("running", old), ("queued", old), ("done", utc_now()), ("done", old)]
        ):
            ended = at if state in ("done", "failed") else None
            session.add(
                Job(id=ulid(number), kind="features", state=state, created_by="hub", created_at=at, finished_at=ended)
            )
        session.flush()
        session.add(Run(id=ulid(9), job_id=ulid(5), what="types", base_sha256="0" * 64, created_by="hub"))
    assert _remove(hub, utc_now(), jobs_days=365) == {"jobs": 2}
    with hub.parts.database.transaction(writes=False) as session:
        assert set(session.scalars(select(Job.id))) == {ulid(2), ulid(3), ulid(4), ulid(5)}


def test_clips_that_nobody_labelled_are_deleted_and_later_purged(hub: Hub) -> None:
    gateway = hub.gateway()
    plain, labelled, alarmed = make_clip(1), make_clip(2), make_clip(3, reason="alarm", alarm=ulid(7))
    for clip in (plain, labelled, alarmed):
        assert clip.put(gateway).status_code == 201
    hub.person("operator").post("/api/v1/clips/label", json={"ids": [labelled.id], "label": "normal"})
    assert _remove(hub, new_clips_days=30) == {"clips_deleted": 1}
    assert hub.parts.objects.has(plain.sha256), "it can be restored"
    with hub.parts.database.transaction() as session:
        session.execute(update(Clip).values(deleted_at=Clip.received_at).where(Clip.deleted_at.is_not(None)))
    assert _remove(hub, deleted_clips_days=30) == {"clips_purged": 1}
    assert not hub.parts.objects.has(plain.sha256)
    with hub.parts.database.transaction(writes=False) as session:
        assert set(session.scalars(select(Clip.id))) == {labelled.id, alarmed.id}


def test_the_audit_log_is_kept_unless_told_otherwise(hub: Hub) -> None:
    hub.person("viewer")
    with hub.parts.database.transaction(writes=False) as session:
        entries = session.scalar(select(func.count()).select_from(AuditEntry))
    assert entries
    assert _remove(hub) == {}
    assert _remove(hub, audit_days=30) == {"audit": entries}


@pytest.mark.parametrize("days", [1, 6])
def test_events_outlast_what_gateways_send_again(days: int) -> None:
    with pytest.raises(ValueError, match="7 or more"):
        HubSettings(retention=RetentionSection(events_days=days))


def test_files_that_can_be_made_again_go_when_nobody_used_them(hub: Hub) -> None:
    state, now = hub.parts.state_dir, utc_now()
    old_s = (now - timedelta(days=100)).timestamp()

    def put(path: str, *, age_s: float | None = old_s) -> Path:
        target = state / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("x")
        if age_s is not None:
            os.utime(target, (age_s, age_s))
            os.utime(target.parent, (age_s, age_s))
        return target

    stale, fresh, again = put("cache/profiles/a.npz"), put("cache/profiles/b.npz", age_s=None), put("cache/profiles/c")
    used(again)
    bundle = put("cache/bundles/aaaa/manifest.json")
    ended, going_on = put(f"work/{ulid(1)}/draft"), put(f"work/{ulid(2)}/draft")
    kept = put("hub-key")
    with hub.parts.database.transaction() as session:
        session.add(Job(id=ulid(1), kind="retrain", state="failed", created_by="hub", finished_at=now))
        session.add(Job(id=ulid(2), kind="retrain", state="running", created_by="hub"))
    assert _remove(hub, now, cache_days=0) == {}
    assert _remove(hub, now, cache_days=30) == {"files": 3}
    assert [path.exists() for path in (stale, bundle, ended)] == [False] * 3
    assert all(path.exists() for path in (fresh, again, going_on, kept))
    assert not (state / "cache/bundles/aaaa").exists() and not (state / f"work/{ulid(1)}").exists()


def test_a_bundle_that_is_listened_with_is_kept(hub: Hub) -> None:
    """It is read from its folder as long as it is open."""
    shipped = load_bundle(SHIPPED, probe=False, self_test=False)
    with hub.parts.database.transaction() as session:
        deed = Deed("user:anna", utc_now())
        row = add_bundle(session, hub.parts.objects, archive_of(shipped), shipped.ref, "", bundle_id=ulid(1), deed=deed)
        sha256 = row.sha256
    shelf = BundleShelf(hub.parts)
    shelf.ear(sha256)
    root = hub.parts.state_dir / "cache" / "bundles" / sha256
    old_s = (utc_now() - timedelta(days=100)).timestamp()
    os.utime(root, (old_s, old_s))
    shelf.ear(sha256)
    assert _remove(hub, utc_now(), cache_days=30) == {}
    os.utime(root, (old_s, old_s))
    assert _remove(hub, utc_now(), cache_days=30) == {"files": 1}
    assert BundleShelf(hub.parts).ear(sha256).bundle.sha256 == sha256, "it is unpacked again"
