"""Takes the hub's receipt from a stick: only then do clips count as sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_agent.clips.errors import ClipError
from edge_agent.clips.store import ClipStore
from edge_agent.delivery.fields import rfc3339
from edge_agent.sync.airgap.manifest import (
    MAX_MANIFEST_BYTES,
    RECEIPT,
    RECEIPT_SIGNATURE,
    ExportReceipt,
    ReceivedClip,
    parse_words,
)
from edge_agent.sync.airgap.signing import MAX_SIGNATURE_BYTES, RECEIPT_CONTEXT, verify
from edge_agent.sync.airgap.stick import read_file
from edge_agent.sync.errors import SyncError
from edge_agent.sync.journal import SentJournal
from edge_agent.sync.marks import Aside, SyncMarks


@dataclass(frozen=True, slots=True)
class Receipted:
    """What a receipt came to.

    Attributes:
        clips: Marked as sent now.
        events: Known to be at the hub now.
        refused: Clips that the hub does not want: set aside.
        gone: Clips that are not here any more.
    """

    clips: int
    events: int
    refused: int
    gone: int


def read_receipt(export: Path, *, hub_key: str, site: str, gateway: str) -> ExportReceipt:
    """A stick's receipt, checked.

    Raises:
        SyncError: There is none, it is not the hub's, or it is another gateway's.
    """
    content = read_file(export, RECEIPT, most_bytes=MAX_MANIFEST_BYTES)
    try:
        verify(hub_key, RECEIPT_CONTEXT, content, read_file(export, RECEIPT_SIGNATURE, most_bytes=MAX_SIGNATURE_BYTES))
    except SyncError as error:
        raise SyncError(f"{export / RECEIPT}: {error}; hub.receipt_key must be what the hub shows") from None
    receipt = parse_words(content, ExportReceipt, name=str(export / RECEIPT))
    if (receipt.site, receipt.gateway) != (site, gateway):
        raise SyncError(
            f"{export / RECEIPT} is for {receipt.site}/{receipt.gateway}, and this is {site}/{gateway}; "
            "take the stick there"
        )
    return receipt


def take_receipt(
    receipt: ExportReceipt,
    store: ClipStore | None,
    marks: SyncMarks,
    journal: SentJournal | None,
    *,
    now_ns: Callable[[], int],
) -> Receipted:
    """Mark what the hub has; taking a receipt again changes nothing.

    Raises:
        ClipError, SyncError: The gateway's own disk refuses it.
    """
    clips = gone = refused = 0
    for received in receipt.clips if store is not None else ():
        try:
            clips += store is not None and _acknowledge(store, marks, received, now_ns())
        except ClipError as error:
            if error.failure is not None:
                raise
            gone += 1
    for item in receipt.refused:
        marks.set_aside(item.id, Aside.REFUSED, item.why)
        refused += 1
    if journal is not None and receipt.events:
        journal.reconciled_ids(receipt.events)
    return Receipted(clips, len(receipt.events), refused, gone)


def _acknowledge(store: ClipStore, marks: SyncMarks, received: ReceivedClip, now_ns: int) -> bool:
    sidecar = store.find(received.id)
    if sidecar.sha256 != received.sha256:
        raise SyncError(f"the receipt names another file of clip {received.id}; that is not this gateway's clip")
    marks.told(received.id, received.label)
    if sidecar.synced_at is not None:
        return False
    store.change(received.id, lambda clip: clip.model_copy(update={"synced_at": rfc3339(now_ns)}))
    return True
