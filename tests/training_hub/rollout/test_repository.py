"""What the hub takes from people: signatures, versions, times, contents; and what it signs itself."""

import os
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import TargetFile

from edge_agent.sync.updates.target import TargetCustom
from tests.support.update_hub import YEAR, UpdateHub, custom_for, known
from training_hub.rollout import signing
from training_hub.rollout.errors import RolloutError, UntrustedError
from training_hub.rollout.keys import create_key, load_key


@pytest.fixture
def hub(tmp_path: Path) -> UpdateHub:
    return UpdateHub(tmp_path / "tuf")


def targets_with(hub: UpdateHub, version: int | None = None, expires_in: timedelta = YEAR) -> signing.Metadata:
    targets = signing.next_targets(hub.repository.targets(), hub.now + expires_in)
    target = signing.target_of(b"archive", custom_for())
    targets.signed.targets[target.path] = target
    if version is not None:
        targets.signed.version = version
    return targets


def accept(hub: UpdateHub, targets: signing.Metadata, *signers: CryptoSigner) -> None:
    hub.repository.accept_targets(signing.to_bytes(signing.signed(targets, signers)), known)


def test_approved_targets_say_what_is_new(hub: UpdateHub) -> None:
    content = signing.to_bytes(signing.signed(targets_with(hub), [hub.targets_key]))
    change = hub.repository.accept_targets(content, known)
    assert change.added == (custom_for(),)
    assert hub.repository.offers("ab" * 32) == "default-1.0.0-abababababab.tar"


def test_the_wrong_key_signs_nothing(hub: UpdateHub) -> None:
    for signers in ([], [hub.root_key], [CryptoSigner.generate_ed25519()]):
        with pytest.raises(UntrustedError, match="sign with a key of the root"):
            accept(hub, targets_with(hub), *signers)
    assert hub.repository.targets().signed.version == 1


@pytest.mark.parametrize("version", [1, 3, 100])
def test_only_the_next_version_is_taken(hub: UpdateHub, version: int) -> None:
    with pytest.raises(UntrustedError, match="the next is 2"):
        accept(hub, targets_with(hub, version), hub.targets_key)


@pytest.mark.parametrize("days", [-1, 1000])
def test_metadata_out_of_its_time_is_refused(hub: UpdateHub, days: int) -> None:
    with pytest.raises(UntrustedError, match=r"ran out|valid until"):
        accept(hub, targets_with(hub, expires_in=timedelta(days=days)), hub.targets_key)


def test_a_target_never_changes_under_its_name(hub: UpdateHub) -> None:
    hub.approve(b"archive", custom_for())
    targets = signing.next_targets(hub.repository.targets(), hub.now + YEAR)
    target = signing.target_of(b"other bytes", custom_for())
    targets.signed.targets[target.path] = target
    with pytest.raises(UntrustedError, match="was changed"):
        accept(hub, targets, hub.targets_key)


def test_what_the_catalogue_does_not_know_is_refused_and_nothing_changes(hub: UpdateHub) -> None:
    def unknown(target: TargetFile, custom: TargetCustom) -> None:
        raise UntrustedError("no such bundle")

    content = signing.to_bytes(signing.signed(targets_with(hub), [hub.targets_key]))
    with pytest.raises(UntrustedError, match="no such bundle"):
        hub.repository.accept_targets(content, unknown)
    assert hub.repository.targets().signed.targets == {}


def test_a_target_of_another_name_is_refused(hub: UpdateHub) -> None:
    targets = targets_with(hub)
    target = targets.signed.targets.pop("default-1.0.0-abababababab.tar")
    target.path = "other.tar"
    targets.signed.targets["other.tar"] = target
    with pytest.raises(UntrustedError, match="is not called"):
        accept(hub, targets, hub.targets_key)


def test_a_root_needs_as_many_signatures_as_it_says(tmp_path: Path) -> None:
    hub = UpdateHub(tmp_path / "tuf")
    second = CryptoSigner.generate_ed25519()
    root = signing.next_root(hub.repository.root(), hub.now + YEAR)
    root.signed.add_key(second.public_key, "root")
    root.signed.roles["root"].threshold = 2
    with pytest.raises(UntrustedError, match="sign with a key"):
        hub.repository.accept_root(signing.to_bytes(signing.signed(root, [hub.root_key])))
    hub.repository.accept_root(signing.to_bytes(signing.signed(root, [second])))
    assert hub.repository.root().signed.version == 2


def test_a_root_is_only_installed_once(hub: UpdateHub) -> None:
    targets = signing.to_bytes(signing.signed(signing.first_targets(hub.now + YEAR), [hub.targets_key]))
    with pytest.raises(RolloutError, match="a root already"):
        hub.repository.install(hub.root, targets)


def test_a_root_with_other_online_keys_is_refused(hub: UpdateHub) -> None:
    stranger = CryptoSigner.generate_ed25519().public_key
    root = signing.next_root(hub.repository.root(), hub.now + YEAR)
    root.signed.revoke_key(root.signed.roles["timestamp"].keyids[0], "timestamp")
    root.signed.add_key(stranger, "timestamp")
    with pytest.raises(UntrustedError, match="another timestamp key"):
        hub.repository.accept_root(signing.to_bytes(signing.signed(root, [hub.root_key])))


def test_a_persons_key_is_never_the_hubs(hub: UpdateHub) -> None:
    key = hub.targets_key.public_key
    with pytest.raises(UntrustedError, match="keep them apart"):
        signing.first_root([key], 1, [key], 1, {"timestamp": key, "snapshot": key}, hub.now + YEAR)


def test_timestamp_and_snapshot_are_renewed_before_they_run_out(hub: UpdateHub) -> None:
    assert not hub.repository.refresh()
    hub.now += timedelta(hours=13)
    assert hub.repository.refresh()
    assert {role.role: role.version for role in hub.repository.status()} == {
        "root": 1,
        "targets": 1,
        "snapshot": 1,
        "timestamp": 2,
    }
    hub.now += timedelta(days=4)
    assert hub.repository.refresh()
    roles = {role.role: role for role in hub.repository.status()}
    assert roles["snapshot"].version == 2
    assert all(role.expires > hub.now for role in roles.values())


def test_only_metadata_is_served(hub: UpdateHub) -> None:
    for name in ("../keys/timestamp.pem", "timestamp.pem", "root.json", "1.root.json/..", "lock", ""):
        assert hub.repository.metadata(name) is None
    assert hub.repository.metadata("1.root.json") == hub.root


def test_the_hubs_keys_are_its_own(hub: UpdateHub) -> None:
    for path in (hub.directory / "keys").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_persons_key_needs_its_passphrase(tmp_path: Path) -> None:
    made = create_key(tmp_path / "root.pem", "correct horse battery")
    assert b"ENCRYPTED" in (tmp_path / "root.pem").read_bytes()
    assert stat.S_IMODE(os.stat(tmp_path / "root.pem").st_mode) == 0o600
    assert load_key(tmp_path / "root.pem", "correct horse battery").public_key == made.public_key
    for wrong in ("wrong", None):
        with pytest.raises(RolloutError, match="cannot be opened"):
            load_key(tmp_path / "root.pem", wrong)
    with pytest.raises(RolloutError, match="never overwritten"):
        create_key(tmp_path / "root.pem", "correct horse battery")
    with pytest.raises(RolloutError, match="at least 12"):
        create_key(tmp_path / "other.pem", "short")
