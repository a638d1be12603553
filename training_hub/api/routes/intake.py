"""What gateways send: clips, events, reports. The words are those of `edge_agent.sync.wire`."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Request, Response, status
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from edge_agent.delivery.ulid import ULID_PATTERN
from edge_agent.sync.wire import (
    AUDIO_TYPE,
    LOG_MEL_TYPE,
    ClipReceipt,
    ClipRecord,
    EventBatch,
    EventIds,
    EventReceipt,
    GatewayReport,
    Hashes,
    Instructions,
)
from training_hub.accounts.gate import Gate
from training_hub.accounts.principal import GatewayPrincipal
from training_hub.api.access import Parts, SendingGateway, gate_of
from training_hub.api.direct import directly, path_value
from training_hub.api.wire_bodies import Strictly
from training_hub.catalogue.types import utc_now
from training_hub.intake import files, instructions
from training_hub.intake.errors import IntakeError
from training_hub.intake.events import check_events, missing_events, take_events
from training_hub.intake.incoming import Incoming
from training_hub.intake.records import take_record
from training_hub.parts import HubParts
from training_hub.rollout.opening import repository_of

router = APIRouter(tags=["gateways"])

_CLIENT_LEFT = 499
_SHA256, _CLIP_ID = re.compile(r"[0-9a-f]{64}"), re.compile(ULID_PATTERN)
Sha256 = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="Of the file.")]
ClipId = Annotated[str, Path(pattern=ULID_PATTERN, description="The clip's id.")]


class FileReceipt(BaseModel):
    """The file is on the hub's disk; it is listed once its record is here.

    Attributes:
        sha256, size_bytes: Which.
        repeated: Whether it was there already.
    """

    sha256: str
    size_bytes: int
    repeated: bool


@contextmanager
def _answered(parts: HubParts, counter: str) -> Iterator[None]:
    """Refusals as HTTP says them, counted."""
    outcomes = getattr(parts.metrics, counter)
    try:
        yield
    except IntakeError as error:
        outcomes.labels(error.why.name.lower()).inc()
        raise HTTPException(error.why.value, str(error)) from error


async def _receive(request: Request, parts: HubParts, sha256: str, gate: Gate | None) -> FileReceipt:
    """Take a clip's file; with a gate, whose it is is asked once more before it is stored."""
    with parts.objects.scratch() as path, _answered(parts, "clip_files"):
        incoming = Incoming(path)
        try:
            async for chunk in request.stream():
                if incoming.add(chunk):
                    await run_in_threadpool(incoming.write)
        except ClientDisconnect as error:
            raise HTTPException(_CLIENT_LEFT, "the sender left") from error

        def store() -> bool:
            incoming.write()
            incoming.check(sha256)
            if gate is not None:
                gate.gateway(request)
            return files.store_file(parts, sha256, path, incoming.size_bytes)

        is_new = await run_in_threadpool(store)
    parts.metrics.clip_files.labels("stored" if is_new else "repeated").inc()
    if is_new:
        parts.metrics.clip_bytes.inc(incoming.size_bytes)
    return FileReceipt(sha256=sha256, size_bytes=incoming.size_bytes, repeated=not is_new)


async def _clip_directly(request: Request) -> Response | None:
    """As `put_clip`; a key that was good a moment ago is asked for once, when the file is here."""
    sha256 = path_value(request, "sha256", _SHA256)
    if sha256 is None:
        return None
    gate = gate_of(request)
    was_known = gate.knew(request)
    if not was_known:
        await run_in_threadpool(gate.gateway, request)
    receipt = await _receive(request, request.app.state.parts, sha256, gate if was_known else None)
    return _receipt(receipt)


def _take_record(
    parts: HubParts, gateway: GatewayPrincipal, sha256: str, clip_id: str, record: ClipRecord
) -> ClipReceipt:
    with _answered(parts, "clip_records"):
        receipt = parts.writes.run(lambda session: take_record(session, gateway, sha256, clip_id, record))
    parts.metrics.clip_records.labels("repeated" if receipt.repeated else "accepted").inc()
    return receipt


async def _record_directly(request: Request) -> Response | None:
    """As `put_record`, in one turn of a thread."""
    sha256, clip_id = path_value(request, "sha256", _SHA256), path_value(request, "clip_id", _CLIP_ID)
    if sha256 is None or clip_id is None or request.headers.get("content-type") != "application/json":
        return None
    content = await request.body()

    def take() -> ClipReceipt | None:
        gateway = gate_of(request).gateway(request)
        try:
            record = ClipRecord.model_validate_json(content)
        except ValidationError:
            return None
        return _take_record(request.app.state.parts, gateway, sha256, clip_id, record)

    receipt = await run_in_threadpool(take)
    return None if receipt is None else _receipt(receipt)


def _receipt(receipt: FileReceipt | ClipReceipt) -> Response:
    code = status.HTTP_200_OK if receipt.repeated else status.HTTP_201_CREATED
    return Response(receipt.model_dump_json(), code, media_type="application/json")


@router.put(
    "/clips/{sha256}",
    status_code=status.HTTP_201_CREATED,
    summary="Send a clip's file",
    responses={200: {"model": FileReceipt, "description": "It was there already"}},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                kind: {"schema": {"type": "string", "format": "binary"}} for kind in (AUDIO_TYPE, LOG_MEL_TYPE)
            },
        }
    },
)
@directly(_clip_directly)
async def put_clip(
    sha256: Sha256, request: Request, response: Response, parts: Parts, _gateway: SendingGateway
) -> FileReceipt:
    """FLAC (16 kHz, mono, 16 bit) or an `.npz` of log-mel frames; sent again: 200. 413, 415, 422 another hash."""
    receipt = await _receive(request, parts, sha256, None)
    if receipt.repeated:
        response.status_code = status.HTTP_200_OK
    return receipt


@router.put(
    "/clips/{sha256}/records/{clip_id}",
    status_code=status.HTTP_201_CREATED,
    summary="Say what is known of a clip",
    responses={200: {"model": ClipReceipt, "description": "It was known already"}},
)
@directly(_record_directly)
def put_record(  # noqa: PLR0917  # FastAPI's
    sha256: Sha256,
    clip_id: ClipId,
    record: Strictly[ClipRecord],
    response: Response,
    parts: Parts,
    gateway: SendingGateway,
) -> ClipReceipt:
    """The receipt says that file and record are on the hub's disk. 409: no such file, or the id is another clip's."""
    receipt = _take_record(parts, gateway, sha256, clip_id, record)
    if receipt.repeated:
        response.status_code = status.HTTP_200_OK
    return receipt


@router.post("/clips/missing", summary="Which files the hub has not got")
def missing_clips(asked: Strictly[Hashes], parts: Parts, _gateway: SendingGateway) -> Hashes:
    """Those of the hashes asked, in their order."""
    with parts.database.transaction(writes=False) as session:
        return Hashes(sha256=files.missing(session, asked.sha256))


@router.post("/events", summary="Send events")
def post_events(batch: Strictly[EventBatch], parts: Parts, gateway: SendingGateway) -> EventReceipt:
    """All but the refused are on the hub's disk; events that came by the broker are `repeated`."""
    known, refused = check_events(gateway, (_payload(event) for event in batch.events))
    taken = parts.writes.run(lambda session: take_events(session, gateway, known, refused, via="http"))
    taken.count(parts.metrics, "http")
    return taken.receipt


@router.post("/events/missing", summary="Which events the hub has not got")
def events_missing(asked: Strictly[EventIds], parts: Parts, gateway: SendingGateway) -> EventIds:
    """Those of the ids asked, in their order."""
    with parts.database.transaction(writes=False) as session:
        return EventIds(ids=missing_events(session, gateway, asked.ids))


@router.post("/gateway/report", summary="Report, and be told what to do")
def report_gateway(report: Strictly[GatewayReport], parts: Parts, gateway: SendingGateway) -> Instructions:
    """Who the gateway is, what it runs, how it fares; the answer says what to run."""
    try:
        with parts.database.transaction() as session:
            told = instructions.take_report(session, repository_of(parts), gateway, report, utc_now())
        told = told.model_copy(update={"report_after_s": parts.settings.rollout.report_s})
    except IntakeError as error:
        raise HTTPException(error.why.value, str(error)) from error
    parts.metrics.reports.inc()
    return told


def _payload(event: dict[str, Any]) -> bytes:
    """As an event is on the broker's wire: `parse_event` finds its kind in the text."""
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
