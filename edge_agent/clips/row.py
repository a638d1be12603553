"""What the index knows of a clip."""

from dataclasses import dataclass

from edge_agent.clips.sidecar import Sidecar, unpack_embedding
from edge_agent.clips.value import is_protected, rank

SIDECAR_ROOM_BYTES = 4096
"""What a sidecar counts at least: a block of the disk, with room for a label."""


@dataclass(frozen=True, slots=True)
class ClipRow:
    """What the index knows of a clip; see `Sidecar` for the meanings.

    Attributes:
        size_bytes: Of all its files.
        rank: Its worth, see `value.rank`.
        protected: Whether it is never given up for room.
        embedding: float16, little endian.
        sidecar_ns: When its sidecar was last changed, by the file system: how a change that missed the index shows.
    """

    id: str
    machine: str
    reason: str
    state: str
    kind: str
    start_ns: int
    size_bytes: int
    sha256: str
    alarm: str | None
    slot: str | None
    settles_at: str | None
    label: str | None
    score: float | None
    threshold: float | None
    pinned: bool
    synced: bool
    rank: float
    protected: bool
    speech: str
    bundle: str
    embedding: bytes | None
    sidecar_ns: int


def row_of(sidecar: Sidecar, *, files_bytes: int, sidecar_bytes: int, sidecar_ns: int) -> ClipRow:
    """A clip as the index keeps it.

    Args:
        sidecar: What is known of it.
        files_bytes: What its other files take, by the file system: a quota that went by what a sidecar says of itself
            could be used up by one line of text.
        sidecar_bytes: Size of the sidecar.
        sidecar_ns: When it was changed, by the file system.
    """
    synced = sidecar.synced_at is not None
    embedding = unpack_embedding(sidecar.judgement.embedding)
    return ClipRow(
        id=sidecar.id,
        machine=sidecar.machine,
        reason=sidecar.reason.value,
        state=sidecar.judgement.state,
        kind=sidecar.sound.kind,
        start_ns=sidecar.window_start_ns,
        size_bytes=files_bytes + max(sidecar_bytes, SIDECAR_ROOM_BYTES),
        sha256=sidecar.sha256,
        alarm=sidecar.alarm,
        slot=sidecar.slot,
        settles_at=sidecar.settles_at,
        label=None if sidecar.label is None else sidecar.label.label,
        score=sidecar.judgement.score,
        threshold=sidecar.judgement.threshold,
        pinned=sidecar.pinned,
        synced=synced,
        rank=rank(sidecar.reason, start_ns=sidecar.window_start_ns, labelled=sidecar.label is not None, synced=synced),
        protected=is_protected(sidecar.reason, pinned=sidecar.pinned, synced=synced),
        speech=sidecar.speech.verdict,
        bundle=sidecar.judgement.bundle.sha256,
        embedding=None if embedding is None else embedding.astype("<f2").tobytes(),
        sidecar_ns=sidecar_ns,
    )
