"""The gateway's own sync against the hub's own API: the two sides of the words on the wire."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import func, select

from edge_agent.clips.sidecar import OperatorLabel
from edge_agent.delivery.fields import rfc3339
from edge_agent.sync.errors import HubError
from edge_agent.sync.marks import Aside, SyncMarks
from tests.clips.samples import ORIGIN
from tests.delivery.samples import alarm
from tests.support.hub import Hub
from tests.sync.gateway import Gateway
from training_hub.accounts.gateways import set_gateway_disabled
from training_hub.catalogue.tables import Alarm, Clip, Event
from training_hub.catalogue.tables import Gateway as GatewayRow


@pytest.fixture
def gateway(tmp_path: Path, hub: Hub) -> Gateway:
    key = hub.gateway_key(ORIGIN.site, ORIGIN.gateway)
    return Gateway(tmp_path / "gateway", "https://hub.example", key=key)


def _run(gateway: Gateway, hub: Hub, until_s: float = 200.0) -> None:
    gateway.run(gateway.open(transport=hub.anonymous()._transport), until_s=until_s)


def test_everything_arrives_and_is_acknowledged(gateway: Gateway, hub: Hub) -> None:
    kept = gateway.keep(3)
    gateway.publish(5)
    gateway.publish(1, alarm("fan_1"))
    gateway.figures.window("fan_1", "fan", percentile=50.0, anomalous=False, latency_s=0.1)
    _run(gateway, hub)
    assert gateway.synced() == {clip.id for clip in kept}
    assert gateway.journal.stats().waiting == 0
    with hub.parts.database.transaction(writes=False) as session:
        assert set(session.scalars(select(Clip.sha256))) == {clip.sha256 for clip in kept}
        assert session.scalar(select(func.count()).select_from(Event)) == 6
        assert session.scalar(select(func.count()).select_from(Alarm)) == 1
        row = session.scalars(select(GatewayRow)).one()
        assert row.report is not None and row.report["machines"][0]["id"] == "fan_1"
    assert gateway.line is not None and gateway.line.books.failures.total() == 0


def test_labels_meet_in_the_middle(gateway: Gateway, hub: Hub) -> None:
    up, down = gateway.keep(2)
    _run(gateway, hub)
    label = OperatorLabel(label="bearing", operator="anna", at=rfc3339(gateway.clock.now_ns()))
    gateway.store.change(up.id, lambda clip: clip.model_copy(update={"label": label}))
    answer = hub.person("operator").post(f"/api/v1/clips/{down.id}/label", json={"label": "normal"})
    assert answer.is_success, answer.text
    _run(gateway, hub)
    with hub.parts.database.transaction(writes=False) as session:
        assert session.get_one(Clip, up.id).label == "bearing"
    found = gateway.store.find(down.id).label
    assert found is not None and found.label == "normal"


def test_a_clip_from_before_the_gateway_was_renamed_keeps_no_other_back(gateway: Gateway, hub: Hub) -> None:
    (former,) = gateway.keep(1, origin=ORIGIN.model_copy(update={"gateway": "gw_old"}))
    (clip,) = gateway.keep(1)
    _run(gateway, hub)
    assert gateway.synced() == {clip.id}
    assert [(each.clip, each.reason) for each in SyncMarks(gateway.state_dir).aside()] == [(former.id, Aside.REFUSED)]


def test_a_disabled_gateway_stops_and_sets_nothing_aside(gateway: Gateway, hub: Hub) -> None:
    gateway.keep(2)
    with hub.parts.database.transaction() as session:
        set_gateway_disabled(session, ORIGIN.site, ORIGIN.gateway, True, by="hub")
    sync = gateway.open(transport=hub.anonymous()._transport)
    gateway.run(sync)
    with pytest.raises(HubError, match="does not let this gateway in"):
        sync.rounds.once()
    assert not SyncMarks(gateway.state_dir).aside() and not gateway.synced()
    with hub.parts.database.transaction() as session:
        set_gateway_disabled(session, ORIGIN.site, ORIGIN.gateway, False, by="hub")
    gateway.run(sync, until_s=2000, until=lambda: len(gateway.synced()) == 2)
    assert len(gateway.synced()) == 2
