"""Records of clips: what a gateway knows of a clip whose file the hub has."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from edge_agent.clips.sidecar import Sidecar, unpack_embedding
from edge_agent.sync.wire import AUDIO_TYPE, ClipReceipt, ClipRecord
from training_hub.accounts.principal import GatewayPrincipal
from training_hub.catalogue.labelling import Deed, label_clips
from training_hub.catalogue.tables import Clip, StoredObject
from training_hub.catalogue.types import utc_now
from training_hub.intake.errors import IntakeError, Refused
from training_hub.intake.insert import insert_new
from training_hub.intake.machines import machines_for

# locked against removal as an orphan until the clip that names it is committed
_FILE = (
    select(StoredObject.size_bytes, StoredObject.media_type)
    .where(StoredObject.sha256 == bindparam("file"))
    .with_for_update(read=True)
)
_MAY_CHANGE = ("label", "pinned", "synced_at", "slot", "settles_at", "picture_bytes", "alarm")


def take_record(
    session: Session, gateway: GatewayPrincipal, sha256: str, clip_id: str, record: ClipRecord
) -> ClipReceipt:
    """Make a clip known, or merge what the gateway has learnt of it since.

    Args:
        session: A writing transaction.
        gateway: Who sends it; must be the one that heard it.
        sha256: Of its file.
        clip_id: Its id.
        record: What is known.

    Raises:
        IntakeError: Another gateway's, no such file, or another clip has the id.
    """
    sidecar = record.sidecar
    _check(session, gateway, sha256, clip_id, sidecar)
    stored = _as_json(sidecar)
    machine_id = machines_for(session, gateway, {sidecar.machine: sidecar.machine_type})[sidecar.machine]
    values = _columns(sidecar) | {"machine_id": machine_id, "gateway_id": gateway.gateway_id, "sidecar": stored}
    is_new = bool(insert_new(session, Clip, [values], "id"))
    if is_new and sidecar.label is None:
        return ClipReceipt(id=clip_id, sha256=sha256, repeated=False)
    clip = session.scalars(select(Clip).where(Clip.id == clip_id).with_for_update(of=Clip)).one()
    before = {} if is_new else clip.sidecar or {}
    if not is_new:
        _check_same(clip, gateway, before, stored)
        if before != stored:
            clip.sidecar = stored
            clip.alarm = sidecar.alarm
    _merge_label(session, gateway, clip, sidecar, before)
    return ClipReceipt(id=clip_id, sha256=sha256, repeated=not is_new)


def _check(session: Session, gateway: GatewayPrincipal, sha256: str, clip_id: str, sidecar: Sidecar) -> None:
    origin = sidecar.origin
    if (origin.site, origin.gateway) != (gateway.site, gateway.name):
        raise IntakeError(
            Refused.FORBIDDEN,
            f"clip {clip_id} is of {origin.site}/{origin.gateway}, its sender is {gateway.site}/{gateway.name}",
        )
    if (sidecar.id, sidecar.sha256) != (clip_id, sha256):
        raise IntakeError(
            Refused.INVALID, f"the record is of clip {sidecar.id}, {sidecar.sha256}, not of {clip_id}, {sha256}"
        )
    row = session.connection().execute(_FILE, {"file": sha256}).one_or_none()
    if row is None:
        raise IntakeError(Refused.CONFLICT, f"there is no file {sha256}; PUT /clips/{sha256} first")
    kind = "audio" if row.media_type == AUDIO_TYPE else "log_mel"
    if (row.size_bytes, kind) != (sidecar.size_bytes, sidecar.sound.kind):
        raise IntakeError(
            Refused.INVALID,
            f"file {sha256} is {kind} of {row.size_bytes} bytes; the record says {sidecar.sound.kind} of "
            f"{sidecar.size_bytes}",
        )


def _check_same(clip: Clip, gateway: GatewayPrincipal, before: dict[str, Any], stored: dict[str, Any]) -> None:
    if clip.gateway_id != gateway.gateway_id or clip.sha256 != stored["sha256"]:
        raise IntakeError(Refused.CONFLICT, f"{clip.id} is the id of another clip")
    changed = sorted(
        key for key in before.keys() | stored.keys() if key not in _MAY_CHANGE and before.get(key) != stored.get(key)
    )
    if changed:
        raise IntakeError(Refused.CONFLICT, f"clip {clip.id} is known with another {changed[0]}; that never changes")


def _columns(sidecar: Sidecar) -> dict[str, Any]:
    sound, judgement, heard_at = sidecar.sound, sidecar.judgement, _time(sidecar.window_start)
    embedding = unpack_embedding(judgement.embedding)
    return {
        "id": sidecar.id,
        "sha256": sidecar.sha256,
        "origin": "gateway",
        "dataset": "new",
        "original": False,
        "kind": sound.kind,
        # what was heard on one day by one input must not be split across training and test
        "recording": f"{heard_at:%Y-%m-%d}/{sidecar.origin.site}/{sidecar.machine}"[:128],
        "heard_at": heard_at,
        "received_at": utc_now(),
        "duration_s": sound.samples / sound.sample_rate_hz,
        "window_offset_s": sound.window_offset_s,
        "window_s": sound.window_s,
        "reason": sidecar.reason.value,
        "alarm": sidecar.alarm,
        "verdict": judgement.state,
        "score": judgement.score,
        "threshold": judgement.threshold,
        "percentile": judgement.percentile,
        "level_dbfs": judgement.level_dbfs,
        "bundle_sha256": judgement.bundle.sha256,
        "embedding": None if embedding is None else embedding.astype("<f2").tobytes(),
        "may_train": sidecar.may_train,
    }


def _merge_label(
    session: Session, gateway: GatewayPrincipal, clip: Clip, sidecar: Sidecar, before: dict[str, Any]
) -> None:
    """A label that was given at the gateway counts where it is newer than the hub's."""
    label = sidecar.label
    if label is None or clip.deleted_at is not None or before.get("label") == label.model_dump(mode="json"):
        return
    if clip.labelled_at is not None and _time(label.at) <= clip.labelled_at:
        return
    deed = Deed(gateway.actor, utc_now())
    label_clips(session, [clip.id], label.label, deed, note=f"given at the gateway by {label.operator} at {label.at}")


def _as_json(sidecar: Sidecar) -> dict[str, Any]:
    return sidecar.model_dump(mode="json", exclude_none=True)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
