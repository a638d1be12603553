"""Metadata of the update framework: made, signed and judged. Pure: keys and time are arguments."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import datetime, timedelta
from typing import TypeVar

from securesystemslib.signer import CryptoSigner, Key
from tuf.api.exceptions import RepositoryError, UnsignedMetadataError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization import DeserializationError
from tuf.api.serialization.json import JSONSerializer

from edge_agent.sync.updates.target import TargetCustom, target_name
from training_hub.rollout.errors import UntrustedError

S = TypeVar("S", Root, Timestamp, Snapshot, Targets)

MAX_METADATA_BYTES = 2 << 20
MAX_LIFE = timedelta(days=800)
"""What is signed for longer than this is a slip of the pen."""
ONLINE_ROLES = (Timestamp.type, Snapshot.type)


def whole_second(moment: datetime) -> datetime:
    """Metadata knows no fractions of a second.

    >>> whole_second(datetime(2026, 1, 2, 3, 4, 5, 678)).microsecond
    0
    """
    return moment.replace(microsecond=0)


def first_root(  # noqa: PLR0917  # who may sign what, in the roles' order
    root: Sequence[Key],
    threshold: int,
    targets: Sequence[Key],
    targets_threshold: int,
    online: Mapping[str, Key],
    expires: datetime,
) -> Metadata[Root]:
    """A root of version 1, unsigned: whose keys are trusted for what."""
    made = Root(version=1, expires=whole_second(expires), consistent_snapshot=True)
    for role, keys in ((Root.type, root), (Targets.type, targets), *((name, [key]) for name, key in online.items())):
        for key in keys:
            made.add_key(key, role)
    made.roles[Root.type].threshold = threshold
    made.roles[Targets.type].threshold = targets_threshold
    _check_thresholds(made)
    return Metadata(made)


def next_root(former: Metadata[Root], expires: datetime) -> Metadata[Root]:
    """The next version of a root, as it was and unsigned, to be changed and signed."""
    made = deepcopy(former.signed)
    made.version += 1
    made.expires = whole_second(expires)
    return Metadata(made)


def first_targets(expires: datetime) -> Metadata[Targets]:
    """No targets yet, unsigned."""
    return Metadata(Targets(version=1, expires=whole_second(expires)))


def next_targets(former: Metadata[Targets], expires: datetime) -> Metadata[Targets]:
    """The next version of the targets, as they were and unsigned."""
    made = deepcopy(former.signed)
    made.version += 1
    made.expires = whole_second(expires)
    return Metadata(made)


def target_of(archive: bytes, custom: TargetCustom) -> TargetFile:
    """A bundle's archive as a target."""
    target = TargetFile.from_data(target_name(custom.ref), archive, ["sha256"])
    target.unrecognized_fields["custom"] = custom.model_dump(mode="json")
    return target


def snapshot_of(targets: Metadata[Targets], content: bytes, version: int, expires: datetime) -> Metadata[Snapshot]:
    """A snapshot of the targets, unsigned."""
    meta = MetaFile.from_data(targets.signed.version, content, ["sha256"])
    return Metadata(Snapshot(version, expires=whole_second(expires), meta={"targets.json": meta}))


def timestamp_of(snapshot: Metadata[Snapshot], content: bytes, version: int, expires: datetime) -> Metadata[Timestamp]:
    """A timestamp of the snapshot, unsigned."""
    meta = MetaFile.from_data(snapshot.signed.version, content, ["sha256"])
    return Metadata(Timestamp(version, expires=whole_second(expires), snapshot_meta=meta))


def signed(metadata: Metadata[S], signers: Sequence[CryptoSigner]) -> Metadata[S]:
    """Add the signers' signatures."""
    for signer in signers:
        metadata.sign(signer, append=True)
    return metadata


def to_bytes(metadata: Metadata[S]) -> bytes:
    """As it is kept and served."""
    return metadata.to_bytes(JSONSerializer(compact=False))


def parse(content: bytes, kind: type[S], *, name: str) -> Metadata[S]:
    """Read metadata as hostile input; its signatures are not looked at.

    Raises:
        UntrustedError: Too large, no metadata, or of another role.
    """
    if len(content) > MAX_METADATA_BYTES:
        raise UntrustedError(f"{name}: {len(content)} bytes; metadata has at most {MAX_METADATA_BYTES}")
    try:
        found = Metadata[S].from_bytes(content)
    except (DeserializationError, RecursionError) as error:
        raise UntrustedError(f"{name} is no signed metadata: {error}") from error
    if not isinstance(found.signed, kind):
        raise UntrustedError(f"{name}: is {found.signed.type} metadata, not {kind.type}")
    return found


def check_signatures(root: Metadata[Root], metadata: Metadata[S]) -> None:
    """Whether those that the root names have signed.

    Raises:
        UntrustedError: Too few of them.
    """
    role = metadata.signed.type
    try:
        root.signed.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    except (UnsignedMetadataError, RepositoryError) as error:
        raise UntrustedError(
            f"{role} version {metadata.signed.version}: {error}; sign with a key of the root"
        ) from error


def check_life(metadata: Metadata[S], now: datetime) -> None:
    """Whether it is valid now, and not for ever.

    Raises:
        UntrustedError: It ran out, or runs out too far ahead.
    """
    expires = metadata.signed.expires
    if metadata.signed.is_expired(now):
        raise UntrustedError(f"{metadata.signed.type}: ran out on {expires:%Y-%m-%d}; sign it anew")
    if expires > now + MAX_LIFE:
        raise UntrustedError(
            f"{metadata.signed.type}: valid until {expires:%Y-%m-%d}; sign for {MAX_LIFE.days} days at most"
        )


def check_root(root: Metadata[Root], online: Mapping[str, Key], now: datetime) -> None:
    """Whether a root is fit for this hub: signed by itself, its online roles are the hub's keys alone.

    Raises:
        UntrustedError: It is not; the message says what.
    """
    check_signatures(root, root)
    check_life(root, now)
    if not root.signed.consistent_snapshot:
        raise UntrustedError("the root is without consistent snapshots; make it with `training-hub publish init`")
    for role, key in online.items():
        if root.signed.roles[role].keyids != [key.keyid]:
            raise UntrustedError(f"the root names another {role} key than this hub's; fetch the hub's keys again")
    _check_thresholds(root.signed)


def check_next_root(former: Metadata[Root], root: Metadata[Root]) -> None:
    """Whether a root follows the former one.

    Raises:
        UntrustedError: Another version, or not signed by those whom the former one names.
    """
    if root.signed.version != former.signed.version + 1:
        raise UntrustedError(f"root version {root.signed.version}; the next is {former.signed.version + 1}")
    check_signatures(former, root)


def _check_thresholds(root: Root) -> None:
    for name, role in root.roles.items():
        if not 1 <= role.threshold <= len(role.keyids):
            raise UntrustedError(f"{name}: {role.threshold} signatures asked of {len(role.keyids)} keys; change one")
    offline = {keyid for name in (Root.type, Targets.type) for keyid in root.roles[name].keyids}
    if shared := offline & {keyid for name in ONLINE_ROLES for keyid in root.roles[name].keyids}:
        raise UntrustedError(f"key {min(shared)[:12]} is both a person's and the hub's; keep them apart")
