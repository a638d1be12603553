"""`/bundles`: the models that exist."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from edge_agent.delivery.ulid import UlidFactory
from edge_agent.inference.archive import MAX_ARCHIVE_BYTES
from training_hub.accounts.principal import Person
from training_hub.api.access import Address, Engineer, Parts, Viewer
from training_hub.api.deeds import deed_of
from training_hub.api.problems import problems
from training_hub.api.ranges import file_response
from training_hub.api.refusals import refused
from training_hub.api.views.fleet import BundleDetail, BundlePageView, BundleView
from training_hub.api.words import After, Limit, UlidPath
from training_hub.catalogue.errors import NotThereError
from training_hub.catalogue.model_in_use import model_in_use
from training_hub.catalogue.tables import Bundle
from training_hub.catalogue.timelines import list_bundles
from training_hub.parts import HubParts
from training_hub.rollout.adding import ARCHIVE_TYPE, add_bundle, inspect_archive
from training_hub.sounds.shelf import look_into
from training_hub.sounds.upload import spooled

router = APIRouter(prefix="/bundles", tags=["bundles"], responses=problems(404))


@router.get("", summary="List bundles")
def bundles(
    parts: Parts,
    _person: Viewer,
    *,
    state: Annotated[
        Literal["draft", "refused", "approved", "retired"] | None, Query(description="Only those in this state.")
    ] = None,
    limit: Limit = 50,
    after: After = None,
) -> BundlePageView:
    """Bundles, the newest first. The one that ships with the hub is in use until another is approved."""
    with parts.database.transaction(writes=False) as session:
        page = list_bundles(session, state=state, limit=limit, cursor=after)
        current = model_in_use(session)
    in_use = None if current is None else current.id
    return BundlePageView(bundles=[BundleView.of(row, in_use) for row in page.rows], next=page.next)


@router.post(
    "",
    status_code=201,
    summary="Add a bundle",
    responses=problems(409, 413, 422),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {ARCHIVE_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def add(request: Request, parts: Parts, person: Engineer, address: Address) -> BundleView:
    """Take a bundle that was made elsewhere (a plain `.tar`) as a draft; an approver looks at it before gateways do."""
    scratch = parts.state_dir / "scratch"
    async with spooled(request.stream(), name="bundle", directory=scratch, max_bytes=MAX_ARCHIVE_BYTES) as upload:
        return await run_in_threadpool(_take, parts, upload.path.read_bytes(), person, address)


def _take(parts: HubParts, archive: bytes, person: Person, address: str) -> BundleView:
    new_id = UlidFactory.of_this_computer()
    with refused():
        ref, card = inspect_archive(archive, name="the archive")
        with parts.database.transaction() as session:
            row = add_bundle(
                session, parts.objects, archive, ref, card, bundle_id=new_id(), deed=deed_of(person, address)
            )
            session.flush()
            current = model_in_use(session)
            return BundleView.of(row, None if current is None else current.id)


@router.get("/{id}", summary="All of a bundle")
def bundle(parts: Parts, _person: Viewer, id: UlidPath) -> BundleDetail:
    """Manifest and model card."""
    row = _bundle(parts, id)
    with parts.database.transaction(writes=False) as session:
        current = model_in_use(session)
    manifest, card = look_into(parts.objects.get(row.object_sha256), name=f"{row.name} {row.version}")
    return BundleDetail.with_all(row, None if current is None else current.id, manifest, row.model_card or card)


@router.get(
    "/{id}/archive",
    summary="Download a bundle",
    response_class=Response,
    responses={
        200: {"description": "The archive.", "content": {"application/x-tar": {}}},
        206: {"description": "A part of it.", "content": {"application/x-tar": {}}},
        304: {"description": "As the caller has it."},
        **problems(404, 416),
    },
)
def archive(parts: Parts, _person: Viewer, request: Request, id: UlidPath) -> Response:
    """The bundle's `.tar`; what gateways run they take by the signed metadata alone."""
    row = _bundle(parts, id)
    content = parts.objects.get(row.object_sha256)
    name = f"{row.name}-{row.version}.tar"
    return file_response(request, content, media_type="application/x-tar", etag=row.object_sha256, name=name)


def _bundle(parts: HubParts, id_: str) -> Bundle:
    with parts.database.transaction(writes=False) as session:
        row = session.get(Bundle, id_)
    if row is None:
        raise NotThereError(f"there is no bundle {id_}")
    return row
