"""What a gateway and its hub say to each other: JSON over HTTPS, versioned under `/api/v1`.

| request | body | answer |
|---|---|---|
| `PUT /clips/{sha256}` | its file, FLAC or `.npz` | 201 stored, 200 was there, 422 another hash, 413, 415 |
| `PUT /clips/{sha256}/records/{id}` | `ClipRecord` | 201, 200: `ClipReceipt`; 409 no such file, or id taken |
| `POST /clips/missing` | `Hashes` | `Hashes` that the hub has not got |
| `POST /events` | `EventBatch` | `EventReceipt` |
| `POST /events/missing` | `EventIds` | `EventIds` that the hub has not got |
| `POST /gateway/report` | `GatewayReport` | `Instructions` |
| `GET /tuf/metadata/{name}`, `/tuf/targets/{name}` | | files of the update framework |

A clip is acknowledged by its record's receipt, not by its file's: the file is not listed before. Every request may be
sent again. `Authorization: Bearer <the gateway's key>`, or the gateway's client certificate.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints, field_validator

from edge_agent.clips.sidecar import BundleName, Sidecar
from edge_agent.delivery.fields import (
    Count,
    Finite,
    Fraction,
    Id,
    Label,
    NonNegative,
    Sha256,
    Text,
    Timestamp,
    Ulid,
    WireModel,
)

API_PREFIX = "/api/v1"
MAX_CLIP_BYTES = 16 << 20
"""Largest file of a clip; ten seconds are some 320 kB, an alarm with its rolls under 3 MB."""
MAX_EVENTS = 500
"""Most events of a batch, and ids of a question."""
MAX_BATCH_BYTES = 8 << 20

AUDIO_TYPE = "audio/flac"
LOG_MEL_TYPE = "application/vnd.edge-agent.log-mel+npz"


class _Body(WireModel):
    """What a gateway sends: built at once, for FastAPI looks into it while it reads the hub's routes."""

    model_config = ConfigDict(defer_build=False)


class ClipRecord(_Body):
    """What is known of a clip whose file the hub has.

    Attributes:
        sidecar: As it stands beside the clip on the gateway: provenance, judgement, label, why it was kept.
        agent_version: Of the agent that sends it.
    """

    sidecar: Sidecar
    agent_version: Label


class ClipReceipt(WireModel):
    """The hub has file and record on its disk; the gateway may delete its own.

    Attributes:
        id, sha256: Which clip.
        repeated: Whether it was there already.
    """

    id: Ulid
    sha256: Sha256
    repeated: bool


class Hashes(_Body):
    """SHA-256 of clips' files."""

    sha256: Annotated[tuple[Sha256, ...], Field(max_length=MAX_EVENTS, strict=False)]


class EventIds(_Body):
    """Ids of events."""

    ids: Annotated[tuple[Ulid, ...], Field(max_length=MAX_EVENTS, strict=False)]


class EventBatch(_Body):
    """Events as they went, or should have gone, to the broker: CloudEvents of `edge_agent.delivery.events`.

    The hub parses each on its own, so that a bad one does not keep the others back.
    """

    events: Annotated[tuple[dict[str, Any], ...], Field(max_length=MAX_EVENTS, strict=False)]

    @field_validator("events")
    @classmethod
    def _small(cls, events: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        for event in events:
            if len(json.dumps(event)) > 256 * 1024:
                raise ValueError("an event has at most 256 KiB")
        return events


class RefusedEvent(WireModel):
    """An event that is none, and why; sending it again is of no use."""

    id: Label
    why: Text


class EventReceipt(WireModel):
    """What became of a batch; all but the refused are on the hub's disk."""

    accepted: Count
    repeated: Count
    refused: Annotated[tuple[RefusedEvent, ...], Field(strict=False)] = ()


UpdatePhase = Literal["downloading", "verified", "shadow", "refitting", "active", "failed", "rolled_back"]


class ShadowReport(WireModel):
    """The new bundle beside the one in use, on the same windows.

    Attributes:
        windows: Compared so far.
        errors: Windows that the new one could not score.
        latency_ratio: Its time per window over that of the one in use, medians.
        exceedance_new, exceedance_old: Share of windows above the threshold.
        percentile_shift: Mean of new less old percentile among the machine's normals, in points; worst machine.
    """

    windows: Count
    errors: Count
    latency_ratio: NonNegative | None = None
    exceedance_new: Fraction | None = None
    exceedance_old: Fraction | None = None
    percentile_shift: Finite | None = None


class UpdateReport(WireModel):
    """How far a gateway is with what it was told to run.

    Attributes:
        rollout: Which rollout told it.
        bundle: Which bundle.
        phase: How far it is.
        why: In words, where it failed or went back.
        shadow: While both run.
    """

    rollout: Ulid
    bundle: BundleName
    phase: UpdatePhase
    why: Text | None = None
    shadow: ShadowReport | None = None


class MachineReport(WireModel):
    """One machine since the last report.

    Attributes:
        id, type: Which machine.
        windows, anomalous, failed: Windows scored, above the threshold, and not scored for an error.
        mean_percentile: Among its own normals; None where nothing was scored.
    """

    id: Id
    type: Id
    windows: Count
    anomalous: Count
    failed: Count
    mean_percentile: Annotated[float, Field(ge=0, le=100)] | None = None


class GatewayReport(_Body):
    """Sent every minute or so: who it is, what it runs, how it fares.

    Attributes:
        site, gateway: Who; must be those of its key.
        agent_version: Of the software.
        started_at, reported_at: Its own clock.
        clock_synced: Whether that can be trusted.
        bundle: What is in use.
        clips_waiting, clip_bytes_waiting: Not yet at the hub.
        window_latency_s: Median time from a window's end to its result.
        window_computing_s: Mean processor time of encoding and scoring a window, of all since the last report.
        machines: What it hears.
        update: How far it is with a rollout.
    """

    site: Id
    gateway: Id
    agent_version: Label
    started_at: Timestamp
    reported_at: Timestamp
    clock_synced: bool
    bundle: BundleName
    clips_waiting: Count = 0
    clip_bytes_waiting: Count = 0
    window_latency_s: NonNegative | None = None
    window_computing_s: NonNegative | None = None
    machines: Annotated[tuple[MachineReport, ...], Field(max_length=256, strict=False)] = ()
    update: UpdateReport | None = None


class Assignment(WireModel):
    """What a gateway is to run. It names a target of the signed metadata and is worth nothing without it.

    Attributes:
        rollout: Id of the rollout.
        target: Path of the target in the metadata.
        bundle: Name, version and SHA-256 of the bundle in it.
        mode: `shadow`: score beside the one in use and report; `active`: take it over.
        shadow_windows: Windows of each machine to compare before it may become active.
    """

    rollout: Ulid
    target: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}\.tar$")]
    bundle: BundleName
    mode: Literal["shadow", "active"]
    shadow_windows: Count = 0


class SharedLabel(WireModel):
    """A label that a person gave at the hub, for the gateway's copy of the clip."""

    clip: Ulid
    label: Label
    operator: Label
    at: Timestamp


class Instructions(WireModel):
    """The hub's answer to a report.

    Attributes:
        assignment: What to run; None: stay with what is in use.
        withdrawn: Rollouts that were halted: go back to the last good bundle if theirs is in use.
        labels: Given since the gateway last asked.
        report_after_s: When to report again.
    """

    assignment: Assignment | None = None
    withdrawn: Annotated[tuple[Ulid, ...], Field(max_length=100, strict=False)] = ()
    labels: Annotated[tuple[SharedLabel, ...], Field(max_length=MAX_EVENTS, strict=False)] = ()
    report_after_s: Annotated[float, Field(ge=1, le=86_400)] = 60.0
