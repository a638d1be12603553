"""`/clips`: list, filter, count, look at one; and the files of one."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from training_hub.api.access import Parts, Viewer
from training_hub.api.clip_query import WantedClips
from training_hub.api.problems import problems
from training_hub.api.ranges import file_response
from training_hub.api.views.clips import (
    ClipDetail,
    ClipPageView,
    ClipView,
    CountsView,
    CountView,
    MachineName,
    NearView,
)
from training_hub.api.words import After, ClipId, Limit
from training_hub.catalogue.clip_listing import FACETS, SORTS, count_by, count_clips, list_clips
from training_hub.catalogue.errors import NotThereError
from training_hub.catalogue.labelling import labels_of
from training_hub.catalogue.tables import Clip, StoredObject
from training_hub.parts import HubParts
from training_hub.sounds.alike import nearest_normal
from training_hub.sounds.reading import wav_of

router = APIRouter(tags=["clips"], responses=problems(404))

Sort = Annotated[
    Literal[SORTS],  # type: ignore[valid-type]  # the orders that the catalogue knows
    Query(description="Order; `-` before it: the other way round. Clips without a value come last."),
]


@router.get("/clips", summary="List clips")
def list_page(
    parts: Parts,
    _person: Viewer,
    wanted: WantedClips,
    *,
    sort: Sort = "-heard_at",
    limit: Limit = 50,
    after: After = None,
    count: Annotated[bool, Query(description="Whether to count all that match.")] = False,
) -> ClipPageView:
    """A page of the clips that match; clips that come or go meanwhile neither repeat nor hide others."""
    with parts.database.transaction(writes=False) as session:
        page = list_clips(session, wanted, sort=sort, limit=limit, cursor=after)
        total = count_clips(session, wanted) if count else None
        return ClipPageView(clips=[ClipView.of(clip) for clip in page.clips], total=total, next=page.next)


@router.get("/clips/counts", summary="Count clips")
def count(
    parts: Parts,
    _person: Viewer,
    wanted: WantedClips,
    *,
    by: Annotated[Literal[tuple(FACETS)], Query(description="By what.")] = "dataset",  # type: ignore[valid-type]
) -> CountsView:
    """How many clips match, by one thing."""
    with parts.database.transaction(writes=False) as session:
        found = count_by(session, wanted, by)
        return CountsView(
            by=by,
            total=count_clips(session, wanted),
            counts=[CountView(value=value, clips=clips) for value, clips in found],
        )


@router.get("/clips/{id}", summary="All of a clip")
def detail(parts: Parts, _person: Viewer, id: ClipId) -> ClipDetail:
    """Everything known of a clip, its labels, and the machine's nearest normal clip."""
    with parts.database.transaction(writes=False) as session:
        clip = session.get(Clip, id)
        if clip is None:
            raise NotThereError(f"there is no clip {id}")
        stored = session.get_one(StoredObject, clip.sha256)
        labels = labels_of(session, id)
    near = nearest_normal(parts, clip)
    return ClipDetail.with_all(
        clip,
        size_bytes=stored.size_bytes,
        media_type=stored.media_type,
        labels=labels,
        nearest=None
        if near is None
        else NearView(clip=near.clip, machine=MachineName.of(near.machine), distance=near.distance, by=near.by),
    )


@router.get(
    "/clips/{id}/audio",
    summary="Listen to a clip",
    response_class=Response,
    responses={
        200: {"description": "The sound.", "content": {"audio/flac": {}, "audio/wav": {}}},
        206: {"description": "A part of it.", "content": {"audio/flac": {}, "audio/wav": {}}},
        304: {"description": "As the caller has it."},
        **problems(404, 415, 416),
    },
)
def audio(
    parts: Parts,
    _person: Viewer,
    request: Request,
    id: ClipId,
    *,
    format: Annotated[Literal["flac", "wav"], Query(description="WAV for what plays no FLAC.")] = "flac",
) -> Response:
    """The sound of a clip; ranges are served."""
    clip = _audio_clip(parts, id)
    content = parts.objects.get(clip.sha256)
    if format == "wav":
        content = wav_of(content, name=id)
    return file_response(request, content, media_type=f"audio/{format}", etag=f"{clip.sha256}-{format}")


@router.get(
    "/clips/{id}/spectrogram.png",
    summary="See a clip",
    response_class=Response,
    responses={
        200: {"description": "PNG, one pixel per frame and band.", "content": {"image/png": {}}},
        206: {"description": "A part of it.", "content": {"image/png": {}}},
        304: {"description": "As the caller has it."},
        **problems(404, 415, 416),
    },
)
def spectrogram(parts: Parts, _person: Viewer, request: Request, id: ClipId) -> Response:
    """The log-mel spectrogram of a whole clip, low bands at the bottom, 60 dB from black to white."""
    clip = _clip(parts, id)
    etag = f"{clip.sha256}-png1"
    if request.headers.get("if-none-match") == f'"{etag}"':
        return Response(status_code=304, headers={"ETag": f'"{etag}"'})
    return file_response(request, request.app.state.sounds.pictures.of(clip), media_type="image/png", etag=etag)


def _clip(parts: HubParts, id_: str) -> Clip:
    with parts.database.transaction(writes=False) as session:
        clip = session.get(Clip, id_)
    if clip is None:
        raise NotThereError(f"there is no clip {id_}")
    return clip


def _audio_clip(parts: HubParts, id_: str) -> Clip:
    clip = _clip(parts, id_)
    if clip.kind != "audio":
        raise NotThereError(f"clip {id_} is kept as {clip.kind}, without sound; look at its spectrogram")
    return clip
