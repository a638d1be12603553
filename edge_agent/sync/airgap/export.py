"""Writes an export: as much as the stick holds, the worthiest clips first, gone on with where it was interrupted."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import edge_agent
from edge_agent.clips import files
from edge_agent.clips.errors import ClipError
from edge_agent.clips.sidecar import Sidecar
from edge_agent.clips.store import ClipStore
from edge_agent.delivery.fields import rfc3339
from edge_agent.durable import sync_directory, temporary_of, write_one_of_many
from edge_agent.sync.airgap.manifest import (
    EVENTS,
    MANIFEST,
    MANIFEST_SIGNATURE,
    MAX_EVENTS_BYTES,
    MAX_FILES,
    PREFIX,
    ExportFile,
    ExportManifest,
    clip_path,
    record_path,
)
from edge_agent.sync.airgap.signing import EXPORT_CONTEXT, SigningKey
from edge_agent.sync.errors import SyncError
from edge_agent.sync.journal import SentJournal
from edge_agent.sync.outbound import ReadyClips
from edge_agent.sync.wire import MAX_EVENTS, ClipRecord

KEY_NAME = "export_key"
_BATCH = 32
_MANIFEST_ROOM_BYTES = 400
"""What a file takes in the manifest, with its share of directories, at most."""
_BLOCK_BYTES = 4096


@dataclass(frozen=True, slots=True)
class ExportLimits:
    """How much goes on the stick.

    Attributes:
        leave_free_bytes: Room that it must still have afterwards.
        machine: Only this machine's clips; None: all.
        since_ns: Only clips and events since this wall time.
    """

    leave_free_bytes: int = 16 << 20
    machine: str | None = None
    since_ns: int = 0


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        path: Where; None where there was nothing to write.
        clips, events, size_bytes: How much.
        left: Clips that found no room: they go with the next one.
    """

    path: Path | None
    clips: int
    events: int
    size_bytes: int
    left: int


class Exporter:
    """Writes exports of one gateway.

    Args:
        site, gateway: Whose.
        key: The gateway's own, which signs.
        store: The clips; None where none are kept.
        ready: Chooses clips that may leave the gateway.
        journal: Events that the hub may not have; None where none were published.
        new_id: Makes ULIDs.
        now_ns: Wall time.
        free_bytes: Room that a file system has left.
    """

    def __init__(
        self,
        site: str,
        gateway: str,
        key: SigningKey,
        *,
        store: ClipStore | None,
        ready: ReadyClips | None,
        journal: SentJournal | None,
        new_id: Callable[[], str],
        now_ns: Callable[[], int],
        free_bytes: Callable[[Path], int] = files.free_bytes,
    ) -> None:
        self._site = site
        self._gateway = gateway
        self._key = key
        self._store = store
        self._ready = ready
        self._journal = journal
        self._new_id = new_id
        self._now_ns = now_ns
        self._free_bytes = free_bytes
        self._entries = 0

    def write(self, to: Path, limits: ExportLimits, progress: Callable[[str], None] = lambda _: None) -> Exported:
        """Write one export; it has its name only once it is whole.

        Args:
            to: A directory of the stick.
            limits: How much.
            progress: Told of every clip.

        Raises:
            SyncError: The stick cannot be written, or has no room at all.
            ClipError, SpeechError: The gateway's own disk or detector stands in the way.
        """
        part = to / f".{PREFIX}{self._site}-{self._gateway}.part"
        try:
            to.mkdir(parents=True, exist_ok=True)
            part.mkdir(exist_ok=True)
            events, number = self._write_events(part, limits)
            entries = {entry.path: entry for entry in events}
            clips = 0
            for written in self._write_clips(part, limits):
                entries |= {entry.path: entry for entry in written}
                clips += 1
                progress(written[-1].path)
            left = self._left(limits, entries.keys())
            if not entries:
                shutil.rmtree(part)
                return Exported(None, 0, 0, 0, left)
            path = self._seal(part, to, tuple(entries.values()))
            return Exported(path, clips, number, sum(entry.size_bytes for entry in entries.values()), left)
        except OSError as error:
            raise SyncError(
                f"{error.filename or to}: {error.strerror}; check the stick; what is written is kept"
            ) from error

    def _seal(self, part: Path, to: Path, entries: tuple[ExportFile, ...]) -> Path:
        """Manifest, signature, name: in this order, each on the disk before the next."""
        _sweep(part, {entry.path for entry in entries})
        for directory in {(part / entry.path).parent for entry in entries}:
            sync_directory(directory)
        manifest = ExportManifest(
            export=self._new_id(),
            site=self._site,
            gateway=self._gateway,
            agent_version=edge_agent.__version__,
            created=rfc3339(self._now_ns()),
            files=tuple(sorted(entries, key=lambda entry: entry.path)),
        )
        content = manifest.model_dump_json(indent=1).encode() + b"\n"
        write_one_of_many(part / MANIFEST, content)
        write_one_of_many(part / MANIFEST_SIGNATURE, self._key.sign(EXPORT_CONTEXT, content))
        sync_directory(part)
        final = to / f"{PREFIX}{manifest.export}"
        part.rename(final)
        sync_directory(to)
        return final

    def _write_events(self, part: Path, limits: ExportLimits) -> tuple[list[ExportFile], int]:
        if self._journal is None:
            return [], 0
        room = min(MAX_EVENTS_BYTES, self._room(part, limits))
        path = part / EVENTS
        digest, size, number, seq = hashlib.sha256(), 0, 0, 0
        temporary = temporary_of(path)
        with temporary.open("wb") as file:
            while events := self._journal.waiting(
                noted_before_ns=self._now_ns(),
                limit=MAX_EVENTS,
                max_bytes=room,
                after_seq=seq,
                since_ns=limits.since_ns,
            ):
                for event in events:
                    line = event.payload + b"\n"
                    if size + len(line) > room:
                        break
                    file.write(line)
                    digest.update(line)
                    size, number, seq = size + len(line), number + 1, event.seq
                else:
                    continue
                break
            file.flush()
            os.fsync(file.fileno())
        if not number:
            files.remove(temporary)
            return [], 0
        temporary.replace(path)
        return [ExportFile(path=EVENTS, sha256=digest.hexdigest(), size_bytes=size)], number

    def _write_clips(self, part: Path, limits: ExportLimits) -> Iterator[tuple[ExportFile, ExportFile]]:
        """File and record of each clip, as long as there is room."""
        if self._ready is None or self._store is None:
            return
        seen: set[str] = set()
        self._entries = 0
        while len(seen) * 2 < MAX_FILES - 2 * _BATCH and (
            chosen := self._ready.choose(_BATCH, excluding=frozenset(seen))
        ):
            for sidecar in chosen:
                seen.add(sidecar.id)
                if not _is_wanted(sidecar, limits):
                    continue
                record = _record(sidecar)
                if self._room(part, limits) < sidecar.size_bytes + len(record) + 4 * _BLOCK_BYTES:
                    return
                try:
                    clip = _put(part, clip_path(sidecar.sha256, sidecar.sound.kind), self._read(sidecar))
                except ClipError:
                    continue  # given up for room meanwhile, or damaged: told by `edge-agent clips verify`
                self._entries += 2
                yield clip, _put(part, record_path(sidecar.id), record)

    def _read(self, sidecar: Sidecar) -> bytes:
        assert self._store is not None
        try:
            content = self._store.payload_path(sidecar).read_bytes()
        except OSError as error:
            raise ClipError(f"clip {sidecar.id}: {error.strerror}") from error
        if hashlib.sha256(content).hexdigest() != sidecar.sha256:
            raise ClipError(f"clip {sidecar.id}: its file is not the one that was written")
        return content

    def _left(self, limits: ExportLimits, written: Collection[str]) -> int:
        if self._store is None or self._ready is None:
            return 0
        rows = self._store.unsynced(settled_before=rfc3339(self._now_ns()), limit=-1, excluding=self._ready.aside())
        wanted = [
            row for row in rows if row.machine == (limits.machine or row.machine) and row.start_ns >= limits.since_ns
        ]
        return sum(record_path(row.id) not in written for row in wanted)

    def _room(self, part: Path, limits: ExportLimits) -> int:
        return self._free_bytes(part) - limits.leave_free_bytes - (self._entries + 8) * _MANIFEST_ROOM_BYTES


def _is_wanted(sidecar: Sidecar, limits: ExportLimits) -> bool:
    return sidecar.machine == (limits.machine or sidecar.machine) and sidecar.window_start_ns >= limits.since_ns


def _record(sidecar: Sidecar) -> bytes:
    record = ClipRecord(sidecar=sidecar, agent_version=edge_agent.__version__)
    return record.model_dump_json(exclude_none=True).encode() + b"\n"


def _put(part: Path, path: str, content: bytes) -> ExportFile:
    """Write a file, unless an earlier attempt did."""
    sha256 = hashlib.sha256(content).hexdigest()
    target = part / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if not (target.is_file() and not target.is_symlink() and target.read_bytes() == content):
        write_one_of_many(target, content)
    return ExportFile(path=path, sha256=sha256, size_bytes=len(content))


def _sweep(part: Path, wanted: set[str]) -> None:
    """Remove what an earlier attempt left and this one does not name."""
    for path in sorted(part.rglob("*"), reverse=True):
        if path.relative_to(part).as_posix() not in wanted and not path.is_dir():
            path.unlink()
