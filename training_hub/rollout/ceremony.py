"""What people do with their keys, away from the hub: make them, sign the first root, approve a bundle, rotate."""

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from securesystemslib.signer import CryptoSigner, Key
from tuf.api.metadata import Root, Targets

from edge_agent.durable import write_whole
from edge_agent.inference.errors import BundleError
from edge_agent.sync.updates.target import TargetCustom
from training_hub.rollout import signing
from training_hub.rollout.candidates import Gate, custom_for, open_archive
from training_hub.rollout.client import HubClient, key_of
from training_hub.rollout.errors import RolloutError
from training_hub.rollout.keys import create_key

ROOT_LIFE = timedelta(days=730)
TARGETS_LIFE = timedelta(days=365)
_MAX_PUBLIC_BYTES = 4096


def make_key(path: Path, passphrase: str) -> Path:
    """Make a person's key; returns the file with its public half, which may be shown to anybody.

    Raises:
        RolloutError: The passphrase is too short, or the file is there or cannot be written.
    """
    public = create_key(path, passphrase).public_key
    shown = path.with_name(path.name + ".pub")
    try:
        write_whole(shown, json.dumps(public.to_dict() | {"keyid": public.keyid}, indent=1).encode() + b"\n")
    except OSError as error:
        raise RolloutError(f"{shown} cannot be written: {error.strerror}") from error
    return shown


def read_public(path: Path) -> Key:
    """A public key from its file.

    Raises:
        RolloutError: It is none.
    """
    try:
        with path.open("rb") as file:
            told = json.loads(file.read(_MAX_PUBLIC_BYTES))
    except (OSError, ValueError) as error:
        raise RolloutError(f"{path} is no public key: {error}") from error
    if not isinstance(told, dict):
        raise RolloutError(f"{path} is no public key; give the .pub file of `training-hub publish key`")
    return key_of(told)


def first_root(
    hub: HubClient,
    root: Sequence[CryptoSigner],
    approvers: Sequence[Key],
    signers: Sequence[CryptoSigner],
    *,
    threshold: int = 1,
    approvals: int = 1,
) -> bytes:
    """Sign the first root and the first, empty targets, and give both to the hub.

    Args:
        hub: The hub, which has no root yet.
        root: The root keys.
        approvers: Public keys of those who may approve bundles.
        signers: Keys of as many of them as must sign.
        threshold: Root keys that must sign a root.
        approvals: Approvers that must sign the targets.

    Returns:
        The root, for gateways.

    Raises:
        RolloutError: The hub refuses it.
    """
    now = datetime.now(UTC)
    made = signing.first_root(
        [signer.public_key for signer in root], threshold, approvers, approvals, hub.signing().online(), now + ROOT_LIFE
    )
    content = signing.to_bytes(signing.signed(made, root))
    targets = signing.signed(signing.first_targets(now + TARGETS_LIFE), signers)
    hub.install(content, signing.to_bytes(targets))
    return content


@dataclass(frozen=True, slots=True)
class Approval:
    """What an approver is shown before the signature."""

    custom: TargetCustom
    size_bytes: int
    signed_already: int


def approve(
    hub: HubClient,
    bundle_id: str,
    signers: Sequence[CryptoSigner],
    *,
    overridden: str = "",
    confirm: Callable[[Approval], bool] = lambda _: True,
) -> TargetCustom | None:
    """Look into a bundle as a gateway would, and sign it.

    Args:
        hub: The hub.
        bundle_id: Which bundle.
        signers: The approvers' keys.
        overridden: Why a bundle is rolled out that did not pass the gate; takes an administrator.
        confirm: Shown what would be signed; whether to go on.

    Returns:
        What was signed; None where it was not confirmed.

    Raises:
        RolloutError: The bundle has a flaw, is signed already, or the hub refuses the signature.
    """
    candidate, archive = hub.candidate(bundle_id), hub.archive(bundle_id)
    current = hub.signing()
    gate: Gate = "passed" if candidate.gate == "passed" else "refused" if candidate.gate == "refused" else "none"
    with tempfile.TemporaryDirectory() as scratch:
        try:
            bundle = open_archive(archive, Path(scratch) / "bundle", name=f"{candidate.name}-{candidate.version}.tar")
        except BundleError as error:
            raise RolloutError(f"not approved: {error}") from error
    custom = custom_for(bundle, gate, overridden)
    if custom.sha256 != candidate.sha256:
        raise RolloutError(f"not approved: the archive holds bundle {custom.sha256[:12]}, not {candidate.sha256[:12]}")
    former = current.current_targets()
    signing.check_signatures(current.current_root(), former)
    target = signing.target_of(archive, custom)
    if target.path in former.signed.targets:
        raise RolloutError(f"bundle {custom.name} {custom.version} is among the signed targets already")
    if not confirm(Approval(custom, len(archive), len(former.signed.targets))):
        return None
    made = signing.next_targets(former, datetime.now(UTC) + TARGETS_LIFE)
    made.signed.targets[target.path] = target
    hub.send_targets(signing.to_bytes(signing.signed(made, signers)))
    return custom


def renew(hub: HubClient, signers: Sequence[CryptoSigner], *, without: Sequence[str] = ()) -> int:
    """Sign the targets anew, with other keys or before they run out; returns their version.

    Args:
        hub: The hub.
        signers: The approvers' keys.
        without: Paths of targets to leave out from now on.

    Raises:
        RolloutError: There is no such target, or the hub refuses the signature.
    """
    made = signing.next_targets(hub.signing().current_targets(), datetime.now(UTC) + TARGETS_LIFE)
    for path in without:
        if made.signed.targets.pop(path, None) is None:
            raise RolloutError(f"there is no target {path}; see `training-hub publish status`")
    hub.send_targets(signing.to_bytes(signing.signed(made, signers)))
    return made.signed.version


@dataclass(frozen=True, slots=True)
class Rotation:
    """What the next root changes.

    Attributes:
        add_root, add_approvers: Keys that come.
        remove: Keys that go, by their ids' first letters; of root or approvers.
        threshold, approvals: New thresholds; None: as before.
        online: Whether the hub's own keys are replaced.
    """

    add_root: tuple[Key, ...] = ()
    add_approvers: tuple[Key, ...] = ()
    remove: tuple[str, ...] = ()
    threshold: int | None = None
    approvals: int | None = None
    online: bool = False


def rotate(hub: HubClient, signers: Sequence[CryptoSigner], rotation: Rotation) -> bytes:
    """Sign the next root and give it to the hub; gateways follow by themselves.

    Args:
        hub: The hub.
        signers: Root keys: enough of the former root, and enough of the new one.
        rotation: What changes.

    Returns:
        The root, for gateways that are still to be set up.

    Raises:
        RolloutError: A key is not known, or the hub refuses the root.
    """
    current = hub.signing(fresh_online_keys=rotation.online)
    made = signing.next_root(current.current_root(), datetime.now(UTC) + ROOT_LIFE)
    root = made.signed
    for role, keys in ((Root.type, rotation.add_root), (Targets.type, rotation.add_approvers)):
        for key in keys:
            root.add_key(key, role)
    for start in rotation.remove:
        _remove(root, start)
    for role, key in current.online(fresh=True).items() if rotation.online else ():
        for keyid in list(root.roles[role].keyids):
            root.revoke_key(keyid, role)
        root.add_key(key, role)
    for role, threshold in ((Root.type, rotation.threshold), (Targets.type, rotation.approvals)):
        if threshold is not None:
            root.roles[role].threshold = threshold
    content = signing.to_bytes(signing.signed(made, signers))
    hub.send_root(content)
    return content


def _remove(root: Root, start: str) -> None:
    found = {
        (role, keyid)
        for role in (Root.type, Targets.type)
        for keyid in root.roles[role].keyids
        if keyid.startswith(start)
    }
    if len({keyid for _, keyid in found}) != 1 or len(start) < 8:
        raise RolloutError(f"{start!r} names {len(found)} keys; give at least 8 letters of one, see publish status")
    for role, keyid in found:
        root.revoke_key(keyid, role)
