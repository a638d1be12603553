"""The signed metadata on the hub's disk: what people signed is checked and kept, what ages is signed anew.

The hub holds the keys of timestamp and snapshot alone. With them a thief can hold gateways back for as long as the
timestamp lives; he can give them nothing that no approver signed.
"""

import fcntl
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from securesystemslib.signer import CryptoSigner, Key
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp

from edge_agent.durable import write_whole
from edge_agent.sync.updates.errors import UpdateError
from edge_agent.sync.updates.target import TargetCustom, custom_of, target_name
from training_hub.rollout import signing
from training_hub.rollout.errors import RolloutError, UntrustedError
from training_hub.rollout.keys import create_key, load_key

_SERVED = re.compile(r"(?:timestamp|[1-9][0-9]{0,8}\.(?:root|targets|snapshot))\.json")
_TARGET = re.compile(r"([0-9a-f]{64})\.([A-Za-z0-9][A-Za-z0-9_.-]{0,127}\.tar)")


@dataclass(frozen=True, slots=True)
class Lives:
    """How long the hub's own signatures hold; they are renewed at half their time."""

    timestamp: timedelta = timedelta(days=1)
    snapshot: timedelta = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class RoleStatus:
    """A role as it stands: version and when it runs out."""

    role: str
    version: int
    expires: datetime
    keys: tuple[str, ...]
    threshold: int


@dataclass(frozen=True, slots=True)
class TargetsChange:
    """What accepted targets changed: what each new target says, and the paths that are gone."""

    added: tuple[TargetCustom, ...]
    removed: tuple[str, ...]


class TufRepository:
    """Files under `<state>/tuf`; several processes may use it.

    Args:
        directory: The directory.
        lives: Of timestamp and snapshot.
        now: Wall time.
    """

    def __init__(
        self, directory: Path, lives: Lives | None = None, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._directory = directory
        self._lives = lives or Lives()
        self._now = now

    @property
    def installed(self) -> bool:
        """Whether people have given the hub a root."""
        return self._path("timestamp.json").is_file()

    def online_keys(self, *, fresh: bool = False) -> Mapping[str, Key]:
        """Public keys of timestamp and snapshot, for the root to name; made at the first call.

        Args:
            fresh: Others than those in use; the hub takes them once a root names them.

        Raises:
            RolloutError: They cannot be made or read.
        """
        with self._locked():
            return {role: self._signer(role, fresh=fresh).public_key for role in signing.ONLINE_ROLES}

    def install(self, root: bytes, targets: bytes) -> None:
        """Take the first root and targets.

        Raises:
            UntrustedError: They are not fit to begin with.
            RolloutError: There is a root already.
        """
        online = self.online_keys()
        first = signing.parse(root, Root, name="root")
        if first.signed.version != 1:
            raise UntrustedError(f"root version {first.signed.version}; a repository begins with 1")
        signing.check_root(first, online, self._now())
        listed = signing.parse(targets, Targets, name="targets")
        signing.check_signatures(first, listed)
        signing.check_life(listed, self._now())
        if listed.signed.version != 1 or listed.signed.targets or listed.signed.delegations:
            raise UntrustedError("the first targets are version 1 and empty; approve bundles once the root is there")
        with self._locked():
            if self.installed:
                raise RolloutError("this hub has a root already; use `training-hub publish rotate`")
            self._write("1.root.json", root)
            self._write("1.targets.json", targets)
            self._publish(listed, targets)

    def accept_root(self, content: bytes) -> None:
        """Take the next root.

        Where it does not trust the signers of the targets any more, gateways stay with what they have until the targets
        are signed anew; see `targets_trusted`.

        Raises:
            UntrustedError: It does not follow the former one, or is not fit for this hub.
        """
        with self._locked():
            former = self.root()
            root = signing.parse(content, Root, name="root")
            signing.check_next_root(former, root)
            names_fresh = self._fresh_keys_named(root)
            online = {role: self._signer(role, fresh=role in names_fresh).public_key for role in signing.ONLINE_ROLES}
            signing.check_root(root, online, self._now())
            self._write(f"{root.signed.version}.root.json", content)
            targets = self.targets()
            self._publish(targets, self._read(f"{targets.signed.version}.targets.json"))

    def accept_targets(self, content: bytes, known: Callable[[TargetFile, TargetCustom], None]) -> TargetsChange:
        """Take the next targets.

        Args:
            content: As an approver signed them.
            known: Raises where a new target is no bundle that may be rolled out.

        Raises:
            UntrustedError: Wrong key, version, time or content; nothing has changed.
        """
        with self._locked():
            former, targets = self.targets(), signing.parse(content, Targets, name="targets")
            signing.check_signatures(self.root(), targets)
            signing.check_life(targets, self._now())
            if targets.signed.version != former.signed.version + 1:
                raise UntrustedError(
                    f"targets version {targets.signed.version}; the next is {former.signed.version + 1}: "
                    "somebody else approved meanwhile, do it again"
                )
            if targets.signed.delegations is not None:
                raise UntrustedError("targets delegate to others; gateways of this hub follow none")
            change = _change(former.signed, targets.signed, known)
            self._write(f"{targets.signed.version}.targets.json", content)
            self._publish(targets, content)
            return change

    def refresh(self) -> bool:
        """Sign timestamp and snapshot anew where half their time has passed; whether that was so."""
        if not self.installed:
            return False
        with self._locked():
            now, targets = self._now(), self.targets()
            snapshot, timestamp = self._latest(Snapshot), self._timestamp()
            aged = snapshot.signed.expires - now < self._lives.snapshot / 2
            if aged or timestamp.signed.expires - now < self._lives.timestamp / 2:
                self._publish(targets, self._read(f"{targets.signed.version}.targets.json"), renew_snapshot=aged)
                return True
            return False

    def metadata(self, name: str) -> bytes | None:
        """A file as gateways ask for it; None where there is none.

        Raises:
            RolloutError: It cannot be read.
        """
        if not _SERVED.fullmatch(name) or not self._path(name).is_file():
            return None
        return self._read(name)

    def archive_of(self, name: str) -> str | None:
        """The SHA-256 of the archive that gateways ask for as `<sha256>.<target>`; None where nobody signed it."""
        found = _TARGET.fullmatch(name)
        target = None if found is None or not self.installed else self.targets().signed.targets.get(found[2])
        if found is None or target is None or target.hashes.get("sha256") != found[1]:
            return None
        return found[1]

    def root(self) -> Metadata[Root]:
        """The root in use."""
        return self._latest(Root)

    def targets(self) -> Metadata[Targets]:
        """The targets in use."""
        return self._latest(Targets)

    def targets_trusted(self) -> bool:
        """Whether the root still trusts those who signed the targets."""
        try:
            signing.check_signatures(self.root(), self.targets())
        except UntrustedError:
            return False
        return True

    def offers(self, sha256: str) -> str | None:
        """The target of a bundle; None where nobody signed it."""
        if not self.installed:
            return None
        found = (path for path, target in self.targets().signed.targets.items() if custom_of(target).sha256 == sha256)
        return next(found, None)

    def status(self) -> tuple[RoleStatus, ...]:
        """Every role as it stands."""
        root = self.root()
        kept = (root, self.targets(), self._latest(Snapshot), self._timestamp())
        return tuple(
            RoleStatus(
                one.signed.type,
                one.signed.version,
                one.signed.expires,
                tuple(root.signed.roles[one.signed.type].keyids),
                root.signed.roles[one.signed.type].threshold,
            )
            for one in kept
        )

    def _publish(self, targets: Metadata[Targets], content: bytes, *, renew_snapshot: bool = True) -> None:
        """Sign snapshot and timestamp; the timestamp is written last, and nobody looks at what it does not name."""
        now = self._now()
        for role in self._fresh_keys_named(self.root()):
            os.replace(self._key_path(role, fresh=True), self._key_path(role))
        if renew_snapshot or not self.installed:
            version = 1 + (self._latest(Snapshot).signed.version if self._versions("snapshot") else 0)
            snapshot = signing.snapshot_of(targets, content, version, now + self._lives.snapshot)
            signing.signed(snapshot, [self._signer(Snapshot.type)])
            self._write(f"{version}.snapshot.json", signing.to_bytes(snapshot))
        snapshot = self._latest(Snapshot)
        kept = self._read(f"{snapshot.signed.version}.snapshot.json")
        version = 1 + (self._timestamp().signed.version if self.installed else 0)
        timestamp = signing.timestamp_of(snapshot, kept, version, now + self._lives.timestamp)
        self._write("timestamp.json", signing.to_bytes(signing.signed(timestamp, [self._signer(Timestamp.type)])))

    def _signer(self, role: str, *, fresh: bool = False) -> CryptoSigner:
        path = self._key_path(role, fresh=fresh)
        return load_key(path, None) if path.exists() else create_key(path, None)

    def _key_path(self, role: str, *, fresh: bool = False) -> Path:
        return self._directory / "keys" / (f"{role}.next.pem" if fresh else f"{role}.pem")

    def _fresh_keys_named(self, root: Metadata[Root]) -> list[str]:
        """Online roles for which a root names the key that waits for its turn."""
        waiting = [role for role in signing.ONLINE_ROLES if self._key_path(role, fresh=True).exists()]
        keys = {role: self._signer(role, fresh=True).public_key.keyid for role in waiting}
        return [role for role in waiting if keys[role] in root.signed.roles[role].keyids]

    def _timestamp(self) -> Metadata[Timestamp]:
        return signing.parse(self._read("timestamp.json"), Timestamp, name="timestamp.json")

    def _latest(self, kind: type[signing.S]) -> Metadata[signing.S]:
        versions = self._versions(kind.type)
        if not versions:
            raise RolloutError("this hub has no root yet; an administrator makes it with `training-hub publish init`")
        name = f"{versions[-1]}.{kind.type}.json"
        return signing.parse(self._read(name), kind, name=name)

    def _versions(self, role: str) -> list[int]:
        names = self._path("").glob(f"[0-9]*.{role}.json")
        return sorted(int(path.name.partition(".")[0]) for path in names)

    def _path(self, name: str) -> Path:
        return self._directory / "metadata" / name

    def _read(self, name: str) -> bytes:
        try:
            with self._path(name).open("rb") as file:
                return file.read(signing.MAX_METADATA_BYTES + 1)
        except OSError as error:
            raise RolloutError(f"{self._path(name)}: {error.strerror}; restore it from a backup") from error

    def _write(self, name: str, content: bytes) -> None:
        try:
            self._path(name).parent.mkdir(parents=True, exist_ok=True, mode=0o750)
            write_whole(self._path(name), content)
        except OSError as error:
            raise RolloutError(f"{self._path(name)} cannot be written: {error.strerror}") from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One at a time, of all threads and processes of this machine."""
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o750)
            lock = (self._directory / "lock").open("a")
        except OSError as error:
            raise RolloutError(f"{self._directory}: {error.strerror}; the repository cannot be kept") from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _change(former: Targets, targets: Targets, known: Callable[[TargetFile, TargetCustom], None]) -> TargetsChange:
    added = []
    for path, target in targets.targets.items():
        if path in former.targets:
            if target.to_dict() != former.targets[path].to_dict():
                raise UntrustedError(f"target {path} was changed; a bundle that changes gets a new version")
            continue
        try:
            custom = custom_of(target)
        except UpdateError as error:
            raise UntrustedError(str(error)) from error
        if path != target_name(custom.ref) or set(target.hashes) != {"sha256"}:
            raise UntrustedError(f"target {path} is not called {target_name(custom.ref)}, or its hash is no SHA-256")
        known(target, custom)
        added.append(custom)
    return TargetsChange(tuple(added), tuple(sorted(former.targets.keys() - targets.targets.keys())))
