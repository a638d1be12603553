"""What comes on a USB stick: checked whole before anything of it is taken, and taken as what comes by HTTP is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from edge_agent.clips import files
from edge_agent.clips.sidecar import MAX_SIDECAR_BYTES
from edge_agent.delivery.fields import rfc3339
from edge_agent.durable import sync_directory, write_one_of_many
from edge_agent.sync.airgap.manifest import (
    EVENTS,
    MANIFEST,
    MANIFEST_SIGNATURE,
    MAX_EVENT_BYTES,
    MAX_EVENTS_BYTES,
    MAX_MANIFEST_BYTES,
    RECEIPT,
    RECEIPT_SIGNATURE,
    ExportFile,
    ExportManifest,
    ExportReceipt,
    ReceivedClip,
    RefusedItem,
    parse_words,
)
from edge_agent.sync.airgap.signing import EXPORT_CONTEXT, MAX_SIGNATURE_BYTES, RECEIPT_CONTEXT, SigningKey, verify
from edge_agent.sync.airgap.stick import opened, read_file
from edge_agent.sync.errors import SyncError
from edge_agent.sync.wire import MAX_CLIP_BYTES, MAX_EVENTS, ClipRecord
from training_hub.accounts.gateways import find_gateway, principal_of
from training_hub.accounts.principal import GatewayPrincipal
from training_hub.catalogue.audit import record
from training_hub.catalogue.types import utc_now
from training_hub.intake.errors import IntakeError
from training_hub.intake.events import check_events, take_events
from training_hub.intake.files import store_file
from training_hub.intake.records import take_record
from training_hub.parts import HubParts

KEY_NAME = "receipt_key"
_CHUNK_BYTES = 1 << 20
_RECORD_BYTES = MAX_SIDECAR_BYTES + 4096
_MOST_BYTES = {"clips": MAX_CLIP_BYTES, "records": _RECORD_BYTES, EVENTS: MAX_EVENTS_BYTES}


@dataclass(frozen=True, slots=True)
class Stick:
    """An export whose signature and every hash were checked.

    Attributes:
        path: Where it lies.
        manifest: What it holds.
        gateway: Whose it is.
    """

    path: Path
    manifest: ExportManifest
    gateway: GatewayPrincipal


def check_stick(parts: HubParts, export: Path) -> Stick:
    """Look at an export without taking anything of it.

    Raises:
        SyncError: It was changed, cut short, or is not the gateway's that it names.
        AccountError: The hub does not know that gateway.
    """
    content = read_file(export, MANIFEST, most_bytes=MAX_MANIFEST_BYTES)
    manifest = parse_words(content, ExportManifest, name=str(export / MANIFEST))
    with parts.database.transaction(writes=False) as session:
        gateway = find_gateway(session, manifest.site, manifest.gateway)
        key, disabled, principal = gateway.export_key, gateway.disabled, principal_of(gateway)
    who = f"{manifest.site}/{manifest.gateway}"
    if disabled:
        raise SyncError(f"gateway {who} is disabled; training-hub gateways enable lets it send again")
    if key is None:
        raise SyncError(
            f"the key of gateway {who} is not known: `edge-agent sync key` shows it there, "
            f"`training-hub gateways set-export-key {manifest.site} {manifest.gateway} KEY` makes it known"
        )
    try:
        signature = read_file(export, MANIFEST_SIGNATURE, most_bytes=MAX_SIGNATURE_BYTES)
        verify(key, EXPORT_CONTEXT, content, signature)
    except SyncError as error:
        raise SyncError(f"{export / MANIFEST}: {error} of {who}; nothing was taken") from None
    for entry in manifest.files:
        with opened(export, entry.path) as file:
            _check(export, entry, file)
    return Stick(export, manifest, principal)


def take_stick(parts: HubParts, stick: Stick, *, by: str) -> ExportReceipt:
    """Take what a checked stick holds; taking it again changes nothing.

    Args:
        parts: The hub's.
        stick: Checked; every file is checked once more as it is read.
        by: Who brought it, for the audit log.

    Raises:
        SyncError: The stick was changed meanwhile.
        StorageError: The store refused something; what was taken stays, and the stick may be taken again.
    """
    manifest = stick.manifest
    refused: dict[str, str] = {}
    for entry in _under(manifest, "clips"):
        if why := _take_file(parts, stick, entry):
            refused[Path(entry.path).stem] = why
    clips, turned_down = _take_records(parts, stick, refused)
    events = _take_events(parts, stick)
    receipt = ExportReceipt(
        export=manifest.export,
        site=manifest.site,
        gateway=manifest.gateway,
        at=rfc3339(int(utc_now().timestamp() * 1e9)),
        clips=tuple(clips),
        events=tuple(events),
        refused=tuple(turned_down),
    )
    with parts.database.transaction() as session:
        detail = {
            "export": manifest.export, "clips": len(clips), "refused": len(turned_down), "events": len(events)
        }  # fmt: skip
        record(session, by, "gateway.import", f"gateway:{manifest.site}/{manifest.gateway}", detail)
    return receipt


def write_receipt(receipt: ExportReceipt, key: SigningKey, to: Path) -> None:
    """Write the hub's word onto the stick, for the gateway.

    Raises:
        SyncError: The stick cannot be written.
    """
    content = receipt.model_dump_json(indent=1).encode() + b"\n"
    try:
        write_one_of_many(to / RECEIPT, content)
        write_one_of_many(to / RECEIPT_SIGNATURE, key.sign(RECEIPT_CONTEXT, content))
        sync_directory(to)
    except OSError as error:
        raise SyncError(
            f"{to}: {error.strerror}; all was taken: give --receipt-to DIR, or import again once it can be written"
        ) from error


def _under(manifest: ExportManifest, directory: str) -> Iterator[ExportFile]:
    return (entry for entry in manifest.files if entry.path.startswith(f"{directory}/"))


def _check(export: Path, entry: ExportFile, file: BinaryIO, copy: BinaryIO | None = None) -> None:
    """Read a file to its end, compare it with the manifest, and copy it."""
    most = _MOST_BYTES[entry.path.partition("/")[0]]
    if entry.size_bytes > most:
        raise SyncError(f"{export / entry.path}: {entry.size_bytes} bytes, at most {most} are taken")
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(min(_CHUNK_BYTES, entry.size_bytes + 1 - size)):
        digest.update(chunk)
        size += len(chunk)
        if size > entry.size_bytes:
            break
        if copy is not None:
            copy.write(chunk)
    if (size, digest.hexdigest()) != (entry.size_bytes, entry.sha256):
        raise SyncError(f"{export / entry.path} is not what the gateway signed; export again, nothing of it was taken")


def _take_file(parts: HubParts, stick: Stick, entry: ExportFile) -> str:
    """Store a clip's file; why it is refused, or nothing."""
    if Path(entry.path).stem != entry.sha256:
        return f"{entry.path} is named by another hash"
    with parts.objects.scratch() as path:
        with opened(stick.path, entry.path) as file, path.open("wb") as copy:
            _check(stick.path, entry, file, copy)
        try:
            store_file(parts, entry.sha256, path, entry.size_bytes)
        except IntakeError as error:
            return str(error)
    return ""


def _take_records(
    parts: HubParts, stick: Stick, refused_files: dict[str, str]
) -> tuple[list[ReceivedClip], list[RefusedItem]]:
    taken: list[ReceivedClip] = []
    refused: list[RefusedItem] = []
    for entry in _under(stick.manifest, "records"):
        clip_id = Path(entry.path).stem
        content = read_file(stick.path, entry.path, most_bytes=_RECORD_BYTES)
        if hashlib.sha256(content).hexdigest() != entry.sha256:
            raise SyncError(f"{stick.path / entry.path} was changed while it was read; nothing more is taken")
        try:
            found = ClipRecord.model_validate_json(content)
            sidecar = found.sidecar
            if why := refused_files.get(sidecar.sha256):
                refused.append(RefusedItem(id=clip_id, why=why[:2048]))
                continue
            with parts.database.transaction() as session:
                take_record(session, stick.gateway, sidecar.sha256, clip_id, found)
        except ValidationError as error:
            refused.append(RefusedItem(id=clip_id, why=f"no record of a clip: {error.error_count()} flaws"))
        except IntakeError as error:
            refused.append(RefusedItem(id=clip_id, why=str(error)[:2048]))
        else:
            label = None if sidecar.label is None else sidecar.label.label
            taken.append(ReceivedClip(id=clip_id, sha256=sidecar.sha256, label=label))
    return taken, refused


def _take_events(parts: HubParts, stick: Stick) -> list[str]:
    """Take events in batches; the ids of all that need not come again."""
    dealt_with: list[str] = []
    entry = next((entry for entry in stick.manifest.files if entry.path == EVENTS), None)
    if entry is None:
        return dealt_with
    with parts.objects.scratch() as path:
        with opened(stick.path, EVENTS) as file, path.open("wb") as copy:
            _check(stick.path, entry, file, copy)
        with path.open("rb") as lines:
            while batch := [line for _ in range(MAX_EVENTS) if (line := lines.readline(MAX_EVENT_BYTES + 2))]:
                known, refused = check_events(stick.gateway, (line.rstrip(b"\n") for line in batch))
                with parts.database.transaction() as session:
                    taken = take_events(session, stick.gateway, known, refused, via="import")
                taken.count(parts.metrics, "import")
                dealt_with += [each.event.id for each in known]
                dealt_with += [each.id for each in refused if files.is_clip_id(each.id)]
    return dealt_with
