"""Signing and rolling out over the hub's API: who may, what is refused, what is written down."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from securesystemslib.signer import CryptoSigner
from sqlalchemy import select

from edge_agent.inference.bundle import load_bundle
from edge_agent.sync.wire import API_PREFIX
from tests.support.hub import Hub
from tests.support.variants import SHIPPED, archive_of
from training_hub.catalogue.tables import AuditEntry, Bundle, StoredObject
from training_hub.rollout import ceremony
from training_hub.rollout.client import HubClient
from training_hub.rollout.errors import RolloutError
from training_hub.rollout.opening import repository_of
from training_hub.rollout.watch import RolloutWatch

BUNDLE_ID = "01J00000000000000000000001"
ROOT, APPROVER = CryptoSigner.generate_ed25519(), CryptoSigner.generate_ed25519()


def signer(client: TestClient, directory: Path) -> HubClient:
    """The signer's client, over a test's."""
    key = directory / "key"
    key.write_text("unused")
    hub = HubClient("http://testserver", key)
    client.base_url = f"http://testserver{API_PREFIX}"
    hub._client = client
    return hub


@pytest.fixture
def admin(hub: Hub, tmp_path: Path) -> HubClient:
    """An administrator of a hub with a root and one bundle that nobody approved."""
    found = load_bundle(SHIPPED, probe=False, self_test=False)
    archive = archive_of(found)
    digest = hashlib.sha256(archive).hexdigest()
    hub.parts.objects.put(digest, archive)
    with hub.parts.database.transaction() as session:
        session.add(StoredObject(sha256=digest, size_bytes=len(archive), media_type="application/x-tar"))
        session.flush()
        row = {"name": found.ref.name, "version": found.ref.version, "sha256": found.sha256}
        session.add(Bundle(id=BUNDLE_ID, object_sha256=digest, created_by="hub", state="draft", **row))
    client = signer(hub.script("admin"), tmp_path)
    ceremony.first_root(client, [ROOT], [APPROVER.public_key], [APPROVER])
    return client


def state_of(hub: Hub) -> str:
    with hub.parts.database.transaction(writes=False) as session:
        bundle = session.get(Bundle, BUNDLE_ID)
        assert bundle is not None
        return bundle.state


def test_an_approved_bundle_is_served_to_gateways_and_written_down(hub: Hub, admin: HubClient) -> None:
    custom = ceremony.approve(admin, BUNDLE_ID, [APPROVER])
    assert custom is not None and state_of(hub) == "approved"
    gateway = hub.gateway()
    assert gateway.get("/api/v1/tuf/metadata/2.targets.json").status_code == 200
    target = repository_of(hub.parts).targets().signed.targets
    ((path, told),) = target.items()
    served = gateway.get(f"/api/v1/tuf/targets/{told.hashes['sha256']}.{path}")
    assert served.status_code == 200 and len(served.content) == told.length
    for missing in ("metadata/9.root.json", "metadata/..%2Fkeys", f"targets/{'0' * 64}.{path}", "targets/x.tar"):
        assert gateway.get(f"/api/v1/tuf/{missing}").status_code == 404
    with hub.parts.database.transaction(writes=False) as session:
        actions = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert [action for action in actions if action.startswith(("tuf", "bundle"))] == ["tuf.install", "bundle.approve"]
    with pytest.raises(RolloutError, match="already"):
        ceremony.approve(admin, BUNDLE_ID, [APPROVER])


def test_metadata_is_for_gateways_and_orders_are_for_people(hub: Hub, admin: HubClient) -> None:
    assert hub.person("admin").get("/api/v1/tuf/metadata/timestamp.json").status_code in (401, 403)
    assert hub.anonymous().get("/api/v1/tuf/metadata/timestamp.json").status_code == 401
    viewer, gateway = hub.person("viewer"), hub.gateway()
    body = {"bundle": BUNDLE_ID, "why": "because"}
    assert viewer.get("/api/v1/rollouts").status_code == 200
    assert viewer.post("/api/v1/rollouts", json=body).status_code == 403
    assert gateway.post("/api/v1/rollouts", json=body).status_code in (401, 403)
    assert viewer.get("/api/v1/tuf/signing").status_code == 403
    engineer = hub.person("engineer")
    assert engineer.post("/api/v1/tuf/root", json={"metadata": "{}"}).status_code == 403
    assert engineer.post("/api/v1/tuf/targets", json={"metadata": "{}"}).status_code == 422


def test_a_bundle_that_the_gate_refused_takes_an_administrator_with_a_reason(
    hub: Hub, admin: HubClient, tmp_path: Path
) -> None:
    with hub.parts.database.transaction() as session:
        bundle = session.get(Bundle, BUNDLE_ID)
        assert bundle is not None
        bundle.state = "refused"
    (tmp_path / "engineer").mkdir()
    engineer = signer(hub.script("engineer"), tmp_path / "engineer")
    for client, why in ((engineer, "I insist"), (admin, "")):
        with pytest.raises(RolloutError, match="did not pass the gate"):
            ceremony.approve(client, BUNDLE_ID, [APPROVER], overridden=why)
    assert state_of(hub) == "refused"
    custom = ceremony.approve(admin, BUNDLE_ID, [APPROVER], overridden="the test set was wrong")
    assert custom is not None and (custom.gate, custom.overridden) == ("refused", "the test set was wrong")
    with hub.parts.database.transaction(writes=False) as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "bundle.approve")).one()
    assert entry.detail["overridden"] == "the test set was wrong"


def test_a_stranger_approves_nothing(hub: Hub, admin: HubClient) -> None:
    with pytest.raises(RolloutError, match="sign with a key of the root"):
        ceremony.approve(admin, BUNDLE_ID, [CryptoSigner.generate_ed25519()])
    assert state_of(hub) == "draft"


def test_keys_rotate_over_the_api(hub: Hub, admin: HubClient) -> None:
    ceremony.approve(admin, BUNDLE_ID, [APPROVER])
    other = CryptoSigner.generate_ed25519()
    rotation = ceremony.Rotation(
        add_approvers=(other.public_key,), remove=(APPROVER.public_key.keyid[:10],), online=True
    )
    ceremony.rotate(admin, [ROOT], rotation)
    assert not repository_of(hub.parts).targets_trusted()
    assert ceremony.renew(admin, [other]) == 3
    status = hub.person("viewer").get("/api/v1/tuf/status").json()
    assert status["targets_trusted"] and len(status["targets"]) == 1
    with pytest.raises(RolloutError, match="names 0 keys"):
        ceremony.rotate(admin, [ROOT], ceremony.Rotation(remove=("0123456789",)))


def test_a_rollout_by_hand(hub: Hub, admin: HubClient) -> None:
    engineer = hub.person("engineer")
    body = {"bundle": BUNDLE_ID, "why": "better bearings", "shadow_only": True}
    assert "publish approve" in engineer.post("/api/v1/rollouts", json=body).json()["detail"]
    ceremony.approve(admin, BUNDLE_ID, [APPROVER])
    assert "canary" in engineer.post("/api/v1/rollouts", json=body).json()["detail"]
    hub.gateway("plant_1", "gw_1", ring="canary")
    begun = engineer.post("/api/v1/rollouts", json=body)
    assert begun.status_code == 201, begun.text
    rollout = begun.json()["id"]
    assert engineer.post("/api/v1/rollouts", json=body).status_code == 409
    for order, stage in (
        ("advance", "canary"),
        ("advance", "percentage"),
        ("halt", "halted"),
        ("roll_back", "rolled_back"),
    ):
        answer = engineer.post(f"/api/v1/rollouts/{rollout}/{order}", json={"why": "step by step"})
        assert (answer.status_code, answer.json()["stage"]) == (200, stage), answer.text
    assert engineer.post(f"/api/v1/rollouts/{rollout}/halt", json={"why": "again"}).status_code == 409
    for bad in ({}, {"why": "x"}, {"why": "nul \x00 in it"}):
        assert engineer.post(f"/api/v1/rollouts/{rollout}/halt", json=bad).status_code == 422
    assert engineer.get("/api/v1/rollouts/01J00000000000000000000009").status_code == 404
    shown = hub.person("viewer").get(f"/api/v1/rollouts/{rollout}").json()
    assert [step["stage"] for step in shown["steps"]] == ["canary", "canary", "10 %", "halted", "rolled_back"]
    assert {step["by"] for step in shown["steps"]} == {"user:engineer"}
    assert [gateway["ring"] for gateway in shown["gateways"]] == ["canary"]
    assert len(hub.person("viewer").get("/api/v1/rollouts").json()) == 1


def test_the_watch_looks_after_stages_and_signatures(hub: Hub, admin: HubClient) -> None:
    watch = RolloutWatch(hub.parts)
    watch.look(datetime.now(UTC))
    watch.start()
    assert watch.alive()
    watch.stop()
    assert not watch.alive()
