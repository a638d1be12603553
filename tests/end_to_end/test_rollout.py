"""A bundle from the approver's machine to a real agent, and back: real hub, real keys, real HTTP, real processes."""

import hashlib
import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from edge_agent.delivery.ulid import UlidFactory
from edge_agent.inference.bundle import Bundle, load_bundle
from edge_agent.inference.in_use import Slot, bundle_dir, read_in_use
from edge_agent.sync.updates.shelf import Shelf
from tests.end_to_end.conftest import PUMP, Plant, Site, make_site_in, source
from tests.end_to_end.fault_run import UPDATES, Watcher
from tests.support.agent import BUNDLE, Agent, running, write_sound
from tests.support.broker import wait_until
from tests.support.hub_site import HubSite, hub_site
from tests.support.plant import pump
from tests.support.variants import another_ear, archive_of, variant, wrong_golden
from training_hub import cli
from training_hub.accounts.gateways import add_gateway, new_gateway_key
from training_hub.accounts.people import add_key
from training_hub.catalogue.tables import Bundle as BundleRow
from training_hub.catalogue.tables import StoredObject

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(900)]

WAIT_S = 240.0
LIMITS = {
    "shadow_windows": 9,  # every eighth is timed
    "min_windows": 3,
    "healthy_reports": 1,
    "soak_minutes": 0,
    "percentages": [],
    "max_latency_ratio": 50,
    "max_percentile_shift": 60,
    "max_exceedance_rise": 0.9,
}


@dataclass
class Centre:
    """A hub with its signers."""

    site: HubSite
    directory: Path
    client: httpx.Client
    gateway_key: Path

    def publish(self, *words: str | Path) -> int:
        """As somebody who signs, on a machine of their own."""
        hub = () if words[0] == "key" else ("--hub", self.site.url, "--api-key-file", self.directory / "api_key")
        secret = ("--passphrase-file", self.directory / "passphrase")
        return cli.main(["publish", str(words[0]), *map(str, (*words[1:], *hub, *secret))])

    def add(self, bundle: Bundle) -> str:
        """A bundle in the catalogue, as retraining leaves it."""
        archive = archive_of(bundle)
        parts, digest = self.site.parts, hashlib.sha256(archive).hexdigest()
        parts.objects.put(digest, archive)
        bundle_id = UlidFactory(now_ms=lambda: time.time_ns() // 1_000_000, randomness=os.urandom)()
        with parts.database.transaction() as session:
            session.add(StoredObject(sha256=digest, size_bytes=len(archive), media_type="application/x-tar"))
            session.flush()
            ref = bundle.ref
            session.add(
                BundleRow(
                    id=bundle_id,
                    name=ref.name,
                    version=ref.version,
                    sha256=ref.sha256,
                    object_sha256=digest,
                    created_by="user:anna",
                )
            )
        return bundle_id

    def approve(self, bundle_id: str) -> int:
        return self.publish("approve", bundle_id, "--key", self.directory / "approver.pem", "--yes")

    def begin(self, bundle_id: str) -> str:
        answer = self.client.post("/rollouts", json={"bundle": bundle_id, "why": "a test", "limits": LIMITS})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def rollout(self, rollout_id: str) -> dict[str, Any]:
        answer = self.client.get(f"/rollouts/{rollout_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def wait_stage(self, rollout_id: str, stage: str) -> dict[str, Any]:
        wait_until(lambda: self.rollout(rollout_id)["stage"] == stage, WAIT_S, f"the rollout to be {stage}")
        return self.rollout(rollout_id)


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    directory = tmp_path_factory.mktemp("centre")
    (directory / "passphrase").write_text("correct horse battery\n")
    with hub_site(directory / "site", seed=False, report_s=1.0) as site:
        with site.parts.database.transaction() as session:
            (directory / "api_key").write_text(add_key(session, "anna", by="hub").text)
            add_gateway(session, "plant", "gw", ring="canary", by="hub")
            gateway_key = directory / "gateway_key"
            gateway_key.write_text(new_gateway_key(session, "plant", "gw", keep_old=True, by="hub").text)
            gateway_key.chmod(0o600)
        headers = {"Authorization": f"Bearer {(directory / 'api_key').read_text()}"}
        with httpx.Client(base_url=f"{site.url}/api/v1", headers=headers, timeout=60) as client:
            made = Centre(site, directory, client, gateway_key)
            assert made.publish("key", directory / "approver.pem") == 0
            approver = ("--approver", directory / "approver.pem.pub", "--key", directory / "approver.pem")
            assert made.publish("init", "--root-key", directory / "root", *approver) == 0
            yield made


@pytest.fixture
def gateway(centre: Centre, plant: Plant, tmp_path: Path) -> Site:
    sound = write_sound(tmp_path / "normal.wav", pump(120.0, seed=77))
    body = (
        PUMP + source("mic", "pump_1", sound, 8.0, loop=True)
        + f'[hub]\nenabled = true\nurl = "{centre.site.url}"\nkey_file = "{centre.gateway_key}"\nreport_s = 1.0\n'
        + f'root_file = "{centre.directory / "root" / "root.json"}"\n'
    )  # fmt: skip
    return make_site_in(tmp_path, plant, body, None)


def _runs(agent: Agent, sha256: str) -> bool:
    _, text = agent.get("/metrics")
    return re.search(rf'edge_agent_model_info{{[^}}]*sha256="{sha256}"[^}}]*}} 1\.0', text) is not None


def _value(agent: Agent, name: str) -> float:
    _, text = agent.get("/metrics")
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))


def test_a_bundle_goes_out_survives_a_kill_and_comes_back(centre: Centre, gateway: Site, tmp_path: Path) -> None:
    shipped = load_bundle(BUNDLE, probe=False, self_test=False)
    new = variant(tmp_path / "new", "7.1.0", another_ear)
    bundle_id = centre.add(new)
    assert centre.approve(bundle_id) == 0
    with running(gateway.config, gateway.http_port, gateway.log) as agent, Watcher(agent) as run:
        agent.wait_ready(60.0)
        assert _runs(agent, shipped.sha256)
        rollout = centre.begin(bundle_id)
        wait_until(lambda: _runs(agent, new.sha256), WAIT_S, "the new bundle to be in use")
        told = centre.wait_stage(rollout, "done")
        assert [step["stage"] for step in told["steps"]] == ["canary", "all", "done"]
        (member,) = told["gateways"]
        assert member["progress"]["phase"] == "active" and member["progress"]["shadow"]["windows"] >= 4
        assert _value(agent, "edge_agent_samples_lost_total") == 0
        assert _value(agent, "edge_agent_samples_skipped_total") == 0
        wait_until(lambda: _value(agent, "edge_agent_model_confirmed") == 1, WAIT_S, "the bundle to be confirmed")
        run.look()
        assert set(UPDATES) <= run.moved
        agent.kill()
    with running(gateway.config, gateway.http_port, gateway.log) as agent:
        agent.wait_ready(60.0)
        assert _runs(agent, new.sha256)
        answer = centre.client.post(f"/rollouts/{rollout}/roll_back", json={"why": "we changed our mind"})
        assert answer.status_code == 200, answer.text
        wait_until(lambda: _runs(agent, shipped.sha256), WAIT_S, "the last good bundle to be in use")
        wait_until(
            lambda: centre.rollout(rollout)["gateways"][0]["progress"]["phase"] == "rolled_back",
            WAIT_S,
            "the hub to hear of it",
        )
        assert agent.stop() == 0
    in_use = read_in_use(gateway.state)
    assert in_use is not None and in_use.active.bundle.sha256 == shipped.sha256
    assert "Traceback" not in gateway.log.read_text()


def test_an_approver_signs_no_bundle_that_fails_its_own_recording(
    centre: Centre, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle_id = centre.add(variant(tmp_path / "bad", "7.2.0", wrong_golden))
    assert centre.approve(bundle_id) == 1
    assert "not approved" in capsys.readouterr().err
    status = json.loads(centre.client.get("/tuf/status").text)
    assert not any("7.2.0" in target for target in status["targets"])


def test_a_bundle_left_at_the_start_is_in_the_counter_of_the_alert(plant: Plant, tmp_path: Path) -> None:
    """The bundle in use was damaged on the disk while the agent was down; the hub need not answer for it."""
    sound = write_sound(tmp_path / "normal.wav", pump(60.0, seed=77))
    (tmp_path / "key").write_text("a-key-of-nobody\n")
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "root.json").write_text("{}")
    body = (
        PUMP + source("mic", "pump_1", sound, 5.0, loop=True)
        + f'[hub]\nenabled = true\nurl = "http://127.0.0.1:9"\nkey_file = "{tmp_path / "key"}"\n'
        + f'root_file = "{tmp_path / "root.json"}"\n'
    )  # fmt: skip
    site = make_site_in(tmp_path, plant, body, None)
    configured = re.search(r'^bundle = "(.*)"', site.config.read_text(), re.M)
    assert configured is not None
    shipped = load_bundle(BUNDLE, probe=False, self_test=False)
    archive = tmp_path / "new.tar"
    archive.write_bytes(archive_of(variant(tmp_path / "new", "7.3.0")))
    shelf = Shelf(site.state)
    shelf.clear_incoming()
    new = shelf.unpack(archive)
    (shelf.incoming / "profiles").mkdir()
    shelf.place_profiles(shelf.incoming / "profiles", f"{'0' * 16}-1")
    slot = Slot(bundle=new.ref, profiles=f"{'0' * 16}-1")
    shelf.switch(slot, shipped, rollout="01J00000000000000000000001", configured=configured[1])
    (bundle_dir(site.state, new.sha256) / "encoder.tflite").write_bytes(b"")
    left = 'edge_agent_model_changes_total{outcome="left_at_start"'
    for expected in (1.0, 0.0):  # the second start begins with the last good one at once
        with running(site.config, site.http_port, site.log) as agent:
            agent.wait_ready(60.0)
            assert _runs(agent, shipped.sha256)
            assert _value(agent, left) == expected
            assert agent.stop() == 0
