"""The desk with a real signed repository: what it takes, what it refuses, what it tells the hub."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from edge_agent.clips.sidecar import BundleName
from edge_agent.inference.bundle import Bundle, load_bundle
from edge_agent.inference.in_use import read_in_use
from edge_agent.inference.manifest import parse_manifest
from edge_agent.sync.updates import notice
from edge_agent.sync.updates.desk import UpdateDesk
from edge_agent.sync.updates.fetcher import HubFetcher
from edge_agent.sync.updates.job import GoBack, TakeOver
from edge_agent.sync.updates.probation import MAX_FAULTS, WINDOWS
from edge_agent.sync.updates.trusted import TrustedRepository
from edge_agent.sync.wire import Assignment, Instructions, UpdateReport
from tests.support.broker import wait_until
from tests.support.update_hub import UpdateHub
from tests.support.variants import SHIPPED, Edit, archive_of, too_new, variant, wrong_golden
from training_hub.rollout.candidates import custom_for

ROLLOUTS = [f"01J0000000000000000000000{number}" for number in range(4)]
WAIT_S = 120.0


@dataclass
class Gateway:
    """A gateway without machines and its hub."""

    hub: UpdateHub
    url: str
    client: httpx.Client
    state: Path

    def desk(self) -> UpdateDesk:
        return UpdateDesk(
            self.state,
            load_bundle(SHIPPED, probe=False, self_test=False),
            "default",
            open_repository=lambda: TrustedRepository(
                self.state / "tuf", self.hub.root, self.url, HubFetcher(self.client)
            ),
            machines=frozenset,
            clips=self.state / "clips",
        )

    def offer(self, directory: Path, version: str, edit: Edit = lambda manifest, directory: None) -> Assignment:
        bundle = variant(directory, version, edit) if edit is not too_new else _unchecked(directory, version, edit)
        target = self.hub.approve(archive_of(bundle), custom_for(bundle, "passed"))
        name = BundleName(name=bundle.ref.name, version=version, sha256=bundle.sha256)
        return Assignment(rollout=ROLLOUTS[0], target=target, bundle=name, mode="active")


def _unchecked(directory: Path, version: str, edit: Edit) -> Bundle:
    """A bundle that this agent is too old for: opened as if it were not."""
    found = variant(directory, version)
    manifest = json.loads((directory / "manifest.json").read_text())
    edit(manifest, directory)
    content = json.dumps(manifest).encode()
    (directory / "manifest.json").write_bytes(content)
    return Bundle(found.root, parse_manifest(content, path=directory), hashlib.sha256(content).hexdigest())


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    hub = UpdateHub(tmp_path / "hub")
    with hub.serve() as url, httpx.Client(timeout=10) as client:
        yield Gateway(hub, url, client, tmp_path / "state")


@pytest.fixture
def desk(gateway: Gateway) -> Iterator[UpdateDesk]:
    desk = gateway.desk()
    desk.start()
    yield desk
    desk.stop()


def due(desk: UpdateDesk) -> TakeOver | GoBack:
    wait_until(lambda: desk.due() is not None, WAIT_S, "something to be due")
    found = desk.due()
    assert found is not None
    return found


def take_over(desk: UpdateDesk) -> TakeOver:
    found = due(desk)
    assert isinstance(found, TakeOver)
    desk.switch(found)
    return found


def reported(desk: UpdateDesk, phase: str) -> UpdateReport:
    wait_until(lambda: (told := desk.report()) is not None and told.phase == phase, WAIT_S, f"a report of {phase}")
    told = desk.report()
    assert told is not None
    return told


def test_a_signed_bundle_is_prepared_and_taken_over(gateway: Gateway, desk: UpdateDesk, tmp_path: Path) -> None:
    assert desk.report() is None
    offer = gateway.offer(tmp_path / "new", "7.0.0")
    desk.instructed(Instructions(assignment=offer))
    take_over(desk)
    told = desk.report()
    assert told is not None and (told.rollout, told.phase, told.bundle) == (ROLLOUTS[0], "active", offer.bundle)
    assert not desk.reading().confirmed
    for _ in range(WINDOWS):
        desk.window(None, fault=False)
    assert desk.reading().confirmed
    desk.instructed(Instructions(assignment=offer))
    assert desk.due() is None
    wait_until(lambda: notice.read(gateway.state) is None, 10.0, "the notice to be taken away")


def test_in_shadow_mode_nothing_is_taken_over(gateway: Gateway, desk: UpdateDesk, tmp_path: Path) -> None:
    offer = gateway.offer(tmp_path / "new", "7.0.0").model_copy(update={"mode": "shadow"})
    desk.instructed(Instructions(assignment=offer))
    assert reported(desk, "shadow").shadow is not None
    assert desk.due() is None and desk.shadows

    def posted() -> bool:
        kept = notice.read(gateway.state)
        return kept is not None and kept.report.phase == "shadow"

    wait_until(posted, 30.0, "the notice of a shadow")
    desk.instructed(Instructions())
    assert desk.report() is None and not desk.shadows


def test_faults_and_withdrawal_lead_back(gateway: Gateway, desk: UpdateDesk, tmp_path: Path) -> None:
    desk.instructed(Instructions(assignment=gateway.offer(tmp_path / "new", "7.0.0")))
    take_over(desk)
    for _ in range(MAX_FAULTS + 1):
        desk.window(None, fault=True)
    going = due(desk)
    assert isinstance(going, GoBack) and "could not be scored" in going.why
    last = desk.last_good()
    assert last is not None
    desk.go_back(going, last[0])
    told = desk.report()
    assert told is not None and (told.phase, told.why) == ("rolled_back", going.why)

    again = gateway.offer(tmp_path / "other", "7.1.0").model_copy(update={"rollout": ROLLOUTS[1]})
    desk.instructed(Instructions(assignment=again))
    take_over(desk)
    desk.instructed(Instructions(withdrawn=(ROLLOUTS[1],)))
    assert isinstance(due(desk), GoBack)


@pytest.mark.parametrize(
    ("edit", "said"), [(too_new, "update the agent"), (wrong_golden, "golden")], ids=["agent too old", "golden"]
)
def test_a_bundle_that_is_not_for_this_gateway_is_declined_once(
    gateway: Gateway, desk: UpdateDesk, tmp_path: Path, edit: Edit, said: str
) -> None:
    offer = gateway.offer(tmp_path / "bad", "7.2.0", edit)
    desk.instructed(Instructions(assignment=offer))
    assert said in (reported(desk, "failed").why or "")
    desk.instructed(Instructions(assignment=offer))
    assert desk.due() is None and desk.reading().phase == ""
    in_use = read_in_use(gateway.state)
    assert (
        in_use is not None and in_use.active.bundle.sha256 == load_bundle(SHIPPED, probe=False, self_test=False).sha256
    )


def test_a_hub_that_sends_rubbish_is_asked_again(gateway: Gateway, desk: UpdateDesk, tmp_path: Path) -> None:
    offer = gateway.offer(tmp_path / "new", "7.0.0")
    gateway.hub.spoil = lambda path, content: content[:-1] if path.startswith("/targets/") else content
    desk.instructed(Instructions(assignment=offer))
    wait_until(lambda: bool((told := desk.report()) and told.why), WAIT_S, "a reason")
    told = desk.report()
    assert told is not None and told.phase == "downloading" and "LengthOrHashMismatch" in (told.why or "")
    assert read_in_use(gateway.state) is None


def test_a_hub_that_names_another_bundle_than_was_signed_gets_nowhere(
    gateway: Gateway, desk: UpdateDesk, tmp_path: Path
) -> None:
    offer = gateway.offer(tmp_path / "new", "7.0.0")
    lie = offer.model_copy(update={"bundle": BundleName(name="default", version="7.0.0", sha256="9" * 64)})
    desk.instructed(Instructions(assignment=lie))
    wait_until(lambda: bool((told := desk.report()) and told.why), WAIT_S, "a reason")
    told = desk.report()
    assert told is not None and "signed as another bundle" in (told.why or "")


def test_a_restart_in_the_middle_begins_anew(gateway: Gateway, tmp_path: Path) -> None:
    offer = gateway.offer(tmp_path / "new", "7.0.0").model_copy(update={"mode": "shadow"})
    for _ in range(2):
        desk = gateway.desk()
        desk.start()
        desk.instructed(Instructions(assignment=offer))
        reported(desk, "shadow")
        desk.stop()
    assert gateway.hub.asked.count(next(path for path in gateway.hub.asked if path.startswith("/targets/"))) >= 1
