"""The tables. Ids that travel are ULIDs or SHA-256 in hex; numbers stay inside. Times are `UtcTime`, never naive.

Every change of these classes needs a migration (`training_hub/catalogue/migrations`); a test compares the two.
"""

from datetime import date, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from training_hub.catalogue.types import UtcTime, utc_now

_NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

Id = String(64)
Ulid = String(26)
Sha256 = String(64)
Word = String(32)
_THERE, _GONE = text("deleted_at IS NULL"), text("deleted_at IS NOT NULL")


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=_NAMING)
    type_annotation_map: ClassVar = {
        dict[str, Any]: JSON,
        datetime: UtcTime,
        date: Date,
        bytes: LargeBinary,
        str: Text,
    }


# --- who -----------------------------------------------------------------------------------------------------------


class User(Base):
    """A person. `role`: viewer, operator, engineer, admin; each may do what the former may."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Id, unique=True)
    role: Mapped[str] = mapped_column(Word)
    password_hash: Mapped[str | None]
    """argon2id; None for a person who comes by OIDC."""
    oidc_subject: Mapped[str | None] = mapped_column(String(255), unique=True)
    disabled: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Session(Base):
    """A person's visit: the cookie holds a secret, this its SHA-256."""

    __tablename__ = "sessions"
    sha256: Mapped[str] = mapped_column(Sha256, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    csrf_token: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime]
    user: Mapped[User] = relationship(lazy="joined")


class Gateway(Base):
    """One edge computer that may send."""

    __tablename__ = "gateways"
    __table_args__ = (UniqueConstraint("site", "name"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    site: Mapped[str] = mapped_column(Id)
    name: Mapped[str] = mapped_column(Id)
    ring: Mapped[str] = mapped_column(Word, default="main")
    """`canary` gateways get a new bundle first."""
    certificate_sha256: Mapped[str | None] = mapped_column(Sha256, unique=True)
    """Of its client certificate (DER), where it comes with one."""
    export_key: Mapped[str | None]
    """Ed25519 public key, base64: signs what comes on a USB stick."""
    disabled: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    last_seen_at: Mapped[datetime | None]
    report: Mapped[dict[str, Any] | None]
    """The last `GatewayReport`."""


class ApiKey(Base):
    """A key of a gateway or of a person's script; the hub keeps its SHA-256 (256 random bits need no slow hash)."""

    __tablename__ = "api_keys"
    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(Sha256, unique=True)
    prefix: Mapped[str] = mapped_column(String(12))
    """Its first letters, for people to tell keys apart."""
    gateway_id: Mapped[int | None] = mapped_column(ForeignKey("gateways.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    gateway: Mapped[Gateway | None] = relationship(lazy="joined")
    user: Mapped[User | None] = relationship(lazy="joined")


class AuditEntry(Base):
    """Who did what to what, and when; written in the same transaction as the deed, never changed."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    actor: Mapped[str] = mapped_column(String(160))
    """`user:anna`, `gateway:plant_1/gw_3`, `hub`."""
    action: Mapped[str] = mapped_column(Id, index=True)
    """`clip.label`, `rollout.halt`, ..."""
    subject: Mapped[str] = mapped_column(String(160), index=True)
    """`clip:01J...`, `bundle:...`."""
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    address: Mapped[str | None] = mapped_column(Id)


# --- what is heard -------------------------------------------------------------------------------------------------


class Machine(Base):
    """A machine that somebody listens to. External recordings belong to a machine without a gateway."""

    __tablename__ = "machines"
    __table_args__ = (UniqueConstraint("site", "name"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    site: Mapped[str] = mapped_column(Id)
    name: Mapped[str] = mapped_column(Id)
    type: Mapped[str] = mapped_column(Id, index=True)
    gateway_id: Mapped[int | None] = mapped_column(ForeignKey("gateways.id", ondelete="SET NULL"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class StoredObject(Base):
    """A file in the object store, by content. The row is written after the object is whole and its hash checked."""

    __tablename__ = "objects"
    sha256: Mapped[str] = mapped_column(Sha256, primary_key=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    media_type: Mapped[str] = mapped_column(Id)
    stored_at: Mapped[datetime] = mapped_column(default=utc_now)


class Clip(Base):
    """A window's sound (or log-mel), and all that is known of it. A row is there only when its object is.

    `dataset`: `new` (came in, nobody looked), `training` (normal, to learn from), `validation` (anomalous or held out),
    `external` (added from elsewhere, kept apart). `origin`: `gateway`, `upload`, `import`. `original`: of the
    data that the hub began with, as imported; else a new sound, of a gateway or a person. Deleted clips keep row and
    object until they are purged.
    """

    __tablename__ = "clips"
    __table_args__ = (
        Index("ix_clips_there_heard", "heard_at", "id", sqlite_where=_THERE, postgresql_where=_THERE),
        Index("ix_clips_there_machine", "machine_id", "heard_at", "id", sqlite_where=_THERE, postgresql_where=_THERE),
        Index("ix_clips_there_score", "score", "id", sqlite_where=_THERE, postgresql_where=_THERE),
        Index("ix_clips_gone", "deleted_at", "id", sqlite_where=_GONE, postgresql_where=_GONE),
        Index("ix_clips_dataset_heard", "dataset", "heard_at"),
    )
    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    sha256: Mapped[str] = mapped_column(ForeignKey("objects.sha256"), index=True)
    machine_id: Mapped[int] = mapped_column(ForeignKey("machines.id"))
    gateway_id: Mapped[int | None] = mapped_column(ForeignKey("gateways.id"), index=True)
    origin: Mapped[str] = mapped_column(Word)
    dataset: Mapped[str] = mapped_column(Word, default="new")
    original: Mapped[bool] = mapped_column(Boolean, default=False)
    kind: Mapped[str] = mapped_column(Word)
    """`audio` or `log_mel`."""
    recording: Mapped[str] = mapped_column(String(128), index=True)
    """What must not be split across train and test: the session or day it was heard in."""
    heard_at: Mapped[datetime]
    received_at: Mapped[datetime] = mapped_column(default=utc_now)
    duration_s: Mapped[float] = mapped_column(Float)
    window_offset_s: Mapped[float] = mapped_column(Float, default=0.0)
    window_s: Mapped[float] = mapped_column(Float, default=10.0)
    reason: Mapped[str] = mapped_column(Word)
    """Why it was kept: alarm, request, uncertain, novel, random; `upload`, `import`."""
    alarm: Mapped[str | None] = mapped_column(Ulid, index=True)
    verdict: Mapped[str | None] = mapped_column(Word, index=True)
    """The agent's state then: normal, suspect, alarm, ..."""
    score: Mapped[float | None] = mapped_column(Float)
    threshold: Mapped[float | None] = mapped_column(Float)
    percentile: Mapped[float | None] = mapped_column(Float)
    level_dbfs: Mapped[float | None] = mapped_column(Float)
    bundle_sha256: Mapped[str | None] = mapped_column(Sha256)
    embedding: Mapped[bytes | None]
    """Mean of its patches, float16 little endian, by the bundle that judged it."""
    may_train: Mapped[bool] = mapped_column(Boolean, default=True)
    """Nothing lost, nothing masked."""
    label: Mapped[str | None] = mapped_column(String(128), index=True)
    """The last word of a person: `normal`, or a fault's name."""
    anomalous: Mapped[bool | None] = mapped_column(Boolean, index=True)
    """What the label says; None without one."""
    labelled_by: Mapped[str | None] = mapped_column(String(160))
    labelled_at: Mapped[datetime | None] = mapped_column(index=True)
    deleted_at: Mapped[datetime | None]
    sidecar: Mapped[dict[str, Any] | None]
    """As the gateway sent it."""
    machine: Mapped[Machine] = relationship(lazy="joined")
    gateway: Mapped[Gateway | None] = relationship(lazy="joined")


class Label(Base):
    """Every label ever given; the clip carries the last."""

    __tablename__ = "labels"
    id: Mapped[int] = mapped_column(primary_key=True)
    clip_id: Mapped[str] = mapped_column(ForeignKey("clips.id", ondelete="CASCADE"), index=True)
    label: Mapped[str] = mapped_column(String(128))
    anomalous: Mapped[bool] = mapped_column(Boolean)
    by: Mapped[str] = mapped_column(String(160))
    at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    note: Mapped[str | None]


class Event(Base):
    """A CloudEvent that came by the broker, by HTTP, or by both; once, by its id."""

    __tablename__ = "events"
    __table_args__ = (Index("ix_events_machine_kind_time", "machine_id", "kind", "occurred_at"),)
    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    gateway_id: Mapped[int] = mapped_column(ForeignKey("gateways.id"), index=True)
    machine_id: Mapped[int | None] = mapped_column(ForeignKey("machines.id"))
    kind: Mapped[str] = mapped_column(Word)
    occurred_at: Mapped[datetime] = mapped_column(index=True)
    received_at: Mapped[datetime] = mapped_column(default=utc_now)
    via: Mapped[str] = mapped_column(Word)
    """`mqtt`, `http` or `import`: by which it came first."""
    data: Mapped[dict[str, Any]]


class Alarm(Base):
    """An alarm's last word, from its events."""

    __tablename__ = "alarms"
    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    gateway_id: Mapped[int] = mapped_column(ForeignKey("gateways.id"), index=True)
    machine_id: Mapped[int | None] = mapped_column(ForeignKey("machines.id"), index=True)
    kind: Mapped[str] = mapped_column(Word)
    state: Mapped[str] = mapped_column(Word, index=True)
    severity: Mapped[str | None] = mapped_column(Word)
    raised_at: Mapped[datetime] = mapped_column(index=True)
    changed_at: Mapped[datetime]
    text: Mapped[str]
    data: Mapped[dict[str, Any]]


class MachineDay(Base):
    """One machine on one day, from its results and health: what months are drawn from.

    `events_removed`: events of the day were removed for their age. It counts them still, and takes no more: which of
    those that come are new could not be told.
    """

    __tablename__ = "machine_days"
    machine_id: Mapped[int] = mapped_column(ForeignKey("machines.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    windows: Mapped[int] = mapped_column(default=0)
    anomalous: Mapped[int] = mapped_column(default=0)
    percentile_sum: Mapped[float] = mapped_column(Float, default=0.0)
    percentile_windows: Mapped[int] = mapped_column(default=0)
    alarms: Mapped[int] = mapped_column(default=0)
    health_index: Mapped[float | None] = mapped_column(Float)
    zone: Mapped[str | None] = mapped_column(Word)
    events_removed: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())


# --- what is learnt ------------------------------------------------------------------------------------------------


class Job(Base):
    """Work that takes longer than a request. `state`: queued, running, done, failed, cancelled."""

    __tablename__ = "jobs"
    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    kind: Mapped[str] = mapped_column(Id, index=True)
    parameters: Mapped[dict[str, Any]] = mapped_column(default=dict)
    state: Mapped[str] = mapped_column(Word, default="queued", index=True)
    progress: Mapped[float] = mapped_column(Float, default=0.0)
    message: Mapped[str] = mapped_column(Text, default="")
    cancel_asked: Mapped[bool] = mapped_column(Boolean, default=False)
    created_by: Mapped[str] = mapped_column(String(160))
    created_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    started_at: Mapped[datetime | None]
    beat_at: Mapped[datetime | None]
    """Of the worker; a running job whose worker went silent is queued again."""
    attempts: Mapped[int] = mapped_column(default=0)
    """How often a worker took it up; a worker may only write to the attempt that it began."""
    finished_at: Mapped[datetime | None]
    result: Mapped[dict[str, Any] | None]


class Bundle(Base):
    """A bundle that exists: shipped, imported or trained here. `state`: draft, refused, approved, retired."""

    __tablename__ = "bundles"
    __table_args__ = (UniqueConstraint("name", "version"),)
    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    name: Mapped[str] = mapped_column(Id)
    version: Mapped[str] = mapped_column(Id)
    sha256: Mapped[str] = mapped_column(Sha256, unique=True)
    """Of the bundle, as its manifest gives it (`Bundle.ref`)."""
    object_sha256: Mapped[str] = mapped_column(ForeignKey("objects.sha256"))
    """Its `.tar` in the object store."""
    state: Mapped[str] = mapped_column(Word, default="draft", index=True)
    run_id: Mapped[str | None] = mapped_column(ForeignKey("runs.id"), index=True)
    created_by: Mapped[str] = mapped_column(String(160))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    approved_by: Mapped[str | None] = mapped_column(String(160))
    model_card: Mapped[str] = mapped_column(Text, default="")


class Run(Base):
    """One retraining: what went in, what came out. `state` as of its job; `gate`: None, passed, refused."""

    __tablename__ = "runs"
    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    job_id: Mapped[str | None] = mapped_column(ForeignKey("jobs.id"), index=True)
    what: Mapped[str] = mapped_column(Word)
    """`types` (precisions, weights), `encoder`, `faults`, or several joined by `+`."""
    base_sha256: Mapped[str] = mapped_column(Sha256)
    """The bundle it began with."""
    parameters: Mapped[dict[str, Any]] = mapped_column(default=dict)
    dataset: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Clips by split and their digest."""
    metrics: Mapped[dict[str, Any]] = mapped_column(default=dict)
    gate: Mapped[dict[str, Any] | None]
    """`{"passed": bool, "machines": [...], "worst": {...}, "why": [...]}`."""
    report_sha256: Mapped[str | None] = mapped_column(Sha256)
    """The evaluation's HTML report in the object store."""
    created_by: Mapped[str] = mapped_column(String(160))
    created_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    finished_at: Mapped[datetime | None]


class RunPoint(Base):
    """A number of a run at a step: loss, share recognised."""

    __tablename__ = "run_points"
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(Id, primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[float] = mapped_column(Float)


class Performance(Base):
    """How a bundle does on one machine, on held-out clips: the figures, and what curves are drawn from."""

    __tablename__ = "performance"
    bundle_sha256: Mapped[str] = mapped_column(Sha256, primary_key=True)
    machine_id: Mapped[int] = mapped_column(ForeignKey("machines.id", ondelete="CASCADE"), primary_key=True)
    dataset_digest: Mapped[str] = mapped_column(Sha256, primary_key=True)
    normals: Mapped[int]
    anomalies: Mapped[int]
    auc: Mapped[float | None] = mapped_column(Float)
    pauc: Mapped[float | None] = mapped_column(Float)
    false_alarms: Mapped[float | None] = mapped_column(Float)
    """Share of held-out normal windows above the threshold."""
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """`{"normal_scores": [...], "anomalous_scores": [...], "threshold": ..., "clips": [...]}`."""
    measured_at: Mapped[datetime] = mapped_column(default=utc_now)


# --- what goes out -------------------------------------------------------------------------------------------------


class Rollout(Base):
    """A bundle on its way to the gateways. `stage`: canary, percentage, all, done, halted, rolled_back."""

    __tablename__ = "rollouts"
    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    bundle_id: Mapped[str] = mapped_column(ForeignKey("bundles.id"), index=True)
    stage: Mapped[str] = mapped_column(Word, index=True)
    percentage: Mapped[int] = mapped_column(default=0)
    mode: Mapped[str] = mapped_column(Word, default="active")
    """`shadow` or `active`."""
    limits: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What it is halted by: errors, latency, score shift; see `training_hub.rollout`."""
    why: Mapped[str] = mapped_column(Text, default="")
    created_by: Mapped[str] = mapped_column(String(160))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    changed_at: Mapped[datetime] = mapped_column(default=utc_now)
    bundle: Mapped[Bundle] = relationship(lazy="joined")


class RolloutGateway(Base):
    """How far one gateway is with one rollout: its last `UpdateReport`."""

    __tablename__ = "rollout_gateways"
    rollout_id: Mapped[str] = mapped_column(ForeignKey("rollouts.id", ondelete="CASCADE"), primary_key=True)
    gateway_id: Mapped[int] = mapped_column(ForeignKey("gateways.id", ondelete="CASCADE"), primary_key=True)
    phase: Mapped[str] = mapped_column(Word, default="assigned")
    report: Mapped[dict[str, Any] | None]
    assigned_at: Mapped[datetime] = mapped_column(default=utc_now)
    reported_at: Mapped[datetime | None]


class RolloutStep(Base):
    """What happened in a rollout, in order."""

    __tablename__ = "rollout_steps"
    id: Mapped[int] = mapped_column(primary_key=True)
    rollout_id: Mapped[str] = mapped_column(ForeignKey("rollouts.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime] = mapped_column(default=utc_now)
    stage: Mapped[str] = mapped_column(Word)
    by: Mapped[str] = mapped_column(String(160))
    why: Mapped[str] = mapped_column(Text, default="")
