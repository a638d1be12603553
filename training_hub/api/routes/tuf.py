"""`/tuf`: signed metadata and archives for gateways; what people sign, for those who sign."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, Field
from securesystemslib.signer import Key
from sqlalchemy import select
from tuf.api.metadata import TargetFile

from edge_agent.sync.updates.target import TargetCustom
from training_hub.accounts.principal import Role
from training_hub.api.access import Admin, Engineer, Parts, SendingGateway, Viewer
from training_hub.api.refusals import address_of, refused
from training_hub.api.words import UlidPath
from training_hub.catalogue.tables import Bundle
from training_hub.parts import HubParts
from training_hub.rollout import candidates, orders
from training_hub.rollout.opening import repository_of
from training_hub.rollout.repository import TufRepository
from training_hub.rollout.signing import MAX_METADATA_BYTES

router = APIRouter(prefix="/tuf", tags=["rollout"])

_JSON = "application/json"
_TAR = "application/x-tar"
_Metadata = Annotated[str, Field(max_length=MAX_METADATA_BYTES)]


class FirstMetadata(BaseModel):
    """Root and targets of version 1, as the administrator signed them."""

    root: _Metadata
    targets: _Metadata


class SignedMetadata(BaseModel):
    """Metadata of one role, as it was signed."""

    metadata: _Metadata


class SigningView(BaseModel):
    """What somebody who signs begins with.

    Attributes:
        root, targets: The metadata in use; None before there is any.
        online_keys, fresh_online_keys: Public keys of the hub's roles, and those that would replace them.
    """

    root: str | None
    targets: str | None
    online_keys: dict[str, dict[str, Any]]
    fresh_online_keys: dict[str, dict[str, Any]] | None = None


class RoleView(BaseModel):
    """A role of the metadata as it stands."""

    role: str
    version: int
    expires: datetime
    keys: list[str]
    threshold: int


class TufStatus(BaseModel):
    """How the signed metadata stands.

    Attributes:
        installed: Whether there is a root.
        targets_trusted: Whether the root still trusts those who signed the targets.
        roles: Every role.
        targets: Signed bundles.
    """

    installed: bool
    targets_trusted: bool = False
    roles: list[RoleView] = []
    targets: list[str] = []


class CandidateView(BaseModel):
    """A bundle that may be signed."""

    id: str
    name: str
    version: str
    sha256: str
    state: str
    gate: str
    target: str | None


@router.get("/metadata/{name}", summary="Signed metadata, for gateways")
def get_metadata(parts: Parts, _gateway: SendingGateway, name: str) -> Response:
    """As the client of the update framework asks for it."""
    repository = repository_of(parts)
    with refused():
        if name == "timestamp.json":
            repository.refresh()
        content = repository.metadata(name)
    if content is None:
        raise HTTPException(404, f"there is no metadata {name!r}")
    return Response(content, media_type=_JSON, headers={"Cache-Control": "no-store"})


@router.get(
    "/targets/{name}",
    summary="A bundle's archive, for gateways",
    response_class=Response,
    responses={200: {"description": "The archive.", "content": {_TAR: {}}}},
)
def get_target(parts: Parts, _gateway: SendingGateway, name: str) -> Response:
    """A signed archive, under its hash and name."""
    with refused():
        digest = repository_of(parts).archive_of(name)
    if digest is None:
        raise HTTPException(404, f"there is no target {name!r}")
    return Response(parts.objects.get(digest), media_type=_TAR)


@router.get("/status", summary="Roles, versions, when they run out")
def get_status(parts: Parts, _person: Viewer) -> TufStatus:
    """How the signed metadata stands."""
    repository = repository_of(parts)
    if not repository.installed:
        return TufStatus(installed=False)
    with refused():
        return TufStatus(
            installed=True,
            targets_trusted=repository.targets_trusted(),
            roles=[RoleView.model_validate(asdict(role) | {"keys": list(role.keys)}) for role in repository.status()],
            targets=sorted(repository.targets().signed.targets),
        )


@router.get("/signing", summary="What somebody who signs begins with")
def get_signing(parts: Parts, _person: Engineer, *, fresh_online_keys: bool = False) -> SigningView:
    """The metadata in use and the hub's public keys."""
    repository = repository_of(parts)
    with refused():
        there = repository.installed
        return SigningView(
            root=repository.root().to_bytes().decode() if there else None,
            targets=repository.targets().to_bytes().decode() if there else None,
            online_keys=_keys(repository.online_keys()),
            fresh_online_keys=_keys(repository.online_keys(fresh=True)) if fresh_online_keys else None,
        )


@router.post("/root/first", status_code=201, summary="Give the hub its first root")
def install(parts: Parts, person: Admin, request: Request, body: FirstMetadata) -> TufStatus:
    """Once in the life of a hub."""
    with refused():
        repository_of(parts).install(body.root.encode(), body.targets.encode())
    _audit(parts, person.actor, request, "tuf.install", "tuf:root")
    return get_status(parts, person)


@router.post("/root", summary="Give the hub its next root")
def accept_root(parts: Parts, person: Admin, request: Request, body: SignedMetadata) -> TufStatus:
    """Keys come and go; signed by those whom the former root names."""
    with refused():
        repository_of(parts).accept_root(body.metadata.encode())
    _audit(parts, person.actor, request, "tuf.root", "tuf:root")
    return get_status(parts, person)


@router.post("/targets", summary="Give the hub what an approver signed")
def accept_targets(parts: Parts, person: Engineer, request: Request, body: SignedMetadata) -> TufStatus:
    """New bundles become approved; a bundle that the gate refused takes an administrator."""
    repository, now = repository_of(parts), datetime.now(UTC)
    order = orders.Order(by=person.actor, why="", now=now, address=address_of(request))
    with parts.database.transaction() as session:
        rows: list[Bundle] = []

        def known(target: TargetFile, custom: TargetCustom) -> None:
            may_override = person.role >= Role.ADMIN
            rows.append(candidates.check_target(session, parts.objects, target, custom, may_override=may_override))

        with refused():
            change = repository.accept_targets(body.metadata.encode(), known)
        for row, custom in zip(rows, change.added, strict=True):
            row.state, row.approved_by = "approved", person.actor
            detail = {"gate": custom.gate, "overridden": custom.overridden}
            orders.audit(session, order, "bundle.approve", f"bundle:{row.id}", **detail)
        for path in change.removed:
            orders.audit(session, order, "tuf.target.remove", f"target:{path}")
    return get_status(parts, person)


@router.get("/candidates", summary="Bundles that may be signed")
def list_candidates(parts: Parts, _person: Viewer) -> list[CandidateView]:
    """The newest first."""
    repository = repository_of(parts)
    with parts.database.transaction(writes=False) as session:
        rows = session.scalars(select(Bundle).order_by(Bundle.id.desc()).limit(200)).all()
        return [_candidate(row, candidates.gate_of(session, row), repository) for row in rows]


@router.get("/candidates/{bundle_id}", summary="A bundle that may be signed")
def get_candidate(parts: Parts, _person: Viewer, bundle_id: UlidPath) -> CandidateView:
    """One of them."""
    with parts.database.transaction(writes=False) as session:
        row = session.get(Bundle, bundle_id)
        if row is None:
            raise HTTPException(404, f"there is no bundle {bundle_id!r}")
        return _candidate(row, candidates.gate_of(session, row), repository_of(parts))


@router.get(
    "/candidates/{bundle_id}/archive",
    summary="Its archive, for the approver to look into",
    response_class=Response,
    responses={200: {"description": "The archive.", "content": {_TAR: {}}}},
)
def get_candidate_archive(parts: Parts, _person: Engineer, bundle_id: UlidPath) -> Response:
    """The `.tar` as gateways would get it."""
    with parts.database.transaction(writes=False) as session:
        row = session.get(Bundle, bundle_id)
        if row is None:
            raise HTTPException(404, f"there is no bundle {bundle_id!r}")
        digest = row.object_sha256
    return Response(parts.objects.get(digest), media_type=_TAR)


def _candidate(row: Bundle, gate: str, repository: TufRepository) -> CandidateView:
    return CandidateView(
        id=row.id,
        name=row.name,
        version=row.version,
        sha256=row.sha256,
        state=row.state,
        gate=gate,
        target=repository.offers(row.sha256),
    )


def _audit(parts: HubParts, actor: str, request: Request, action: str, subject: str) -> None:
    order = orders.Order(by=actor, why="", now=datetime.now(UTC), address=address_of(request))
    with parts.database.transaction() as session:
        orders.audit(session, order, action, subject)


def _keys(keys: Mapping[str, Key]) -> dict[str, dict[str, Any]]:
    return {role: key.to_dict() | {"keyid": key.keyid} for role, key in keys.items()}
