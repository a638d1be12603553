"""`/sounds`: test one, add one."""

from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from edge_agent.delivery.fields import Sha256
from training_hub.api.access import Address, Operator, Parts, Viewer
from training_hub.api.bodies import SOUND_BODY, uploaded
from training_hub.api.deeds import deed_of
from training_hub.api.problems import problems
from training_hub.api.views.clips import ClipView
from training_hub.api.words import Id, Moment, ShortText, View
from training_hub.sounds.adding import Addition, SoundAdder
from training_hub.sounds.answer import SoundAnswer
from training_hub.sounds.desk import SoundDesk

router = APIRouter(prefix="/sounds", tags=["sounds"], responses=problems(404, 409, 413, 415))

FileName = Annotated[ShortText | None, Query(description="What the file is called, for people.", examples=["a.wav"])]


class AddedView(View):
    """What became of one clip of the sound."""

    state: Annotated[
        Literal["added", "repeated", "deleted"],
        Field(description="`repeated`: it was there and stays as it was; `deleted`: it was there, restore it."),
    ]
    clip: ClipView


class AddedSoundView(View):
    """What became of the sound."""

    file_sha256: Annotated[str, Field(description="Of what was sent.")]
    clips: Annotated[list[AddedView], Field(description="Its clips of ten seconds, in order of time.")]


@router.post("/test", summary="Test a sound", openapi_extra=SOUND_BODY)
async def test_sound(
    request: Request,
    parts: Parts,
    _person: Viewer,
    *,
    site: Annotated[Id | None, Query(description="Plant of the machine.", examples=["plant_1"])] = None,
    machine: Annotated[Id | None, Query(description="Machine it shall be of.", examples=["pump_07"])] = None,
    bundle: Annotated[Sha256 | None, Query(description="Bundle to listen with; left out: the one in use.")] = None,
    start_s: Annotated[float, Query(ge=0, le=86_400, description="Where the window of 10 s begins.")] = 0.0,
    name: FileName = None,
) -> SoundAnswer:
    """Hear a sound as a gateway would, and say how odd it is for a machine, or which machine it is like.

    Nothing is kept. A machine's profile is fitted on its normal clips of the catalogue.
    """
    if (site is None) != (machine is None):
        raise HTTPException(400, "give both site and machine, or neither")
    desk = _desk(request)
    async with uploaded(request, parts, name=name) as upload:
        chosen = None if site is None or machine is None else (site, machine)
        return await run_in_threadpool(desk.test, upload, machine=chosen, bundle_sha256=bundle, start_s=start_s)


@router.post("", status_code=201, summary="Add a sound", openapi_extra=SOUND_BODY)
async def add_sound(
    request: Request,
    parts: Parts,
    person: Operator,
    address: Address,
    *,
    site: Annotated[Id, Query(description="Plant of the machine.", examples=["plant_1"])],
    machine: Annotated[Id, Query(description="The machine; made where it is not there yet.", examples=["pump_07"])],
    type: Annotated[Id, Query(description="What the machine is.", examples=["pump"])],
    label: Annotated[
        ShortText | None,
        Query(description="`normal`: to training; a fault's name: to validation.", examples=["normal"]),
    ] = None,
    external: Annotated[bool, Query(description="It comes from elsewhere and is kept apart.")] = False,
    recording: Annotated[ShortText | None, Query(description="What it must not be split from.")] = None,
    heard_at: Annotated[Moment | None, Query(description="When it was heard; left out: now.")] = None,
    name: FileName = None,
) -> AddedSoundView:
    """Store a recording in clips of ten seconds, 16 kHz mono FLAC. Sent again it changes nothing."""
    adder = SoundAdder(_desk(request))
    addition = Addition(site, machine, type, label, external, recording, heard_at)
    async with uploaded(request, parts, name=name) as upload:
        added = await run_in_threadpool(adder.add, upload, addition, deed_of(person, address))
        views = [AddedView(state=one.state, clip=ClipView.of(one.clip)) for one in added]
        return AddedSoundView(file_sha256=upload.sha256, clips=views)


def _desk(request: Request) -> SoundDesk:
    desk = request.app.state.sounds
    assert isinstance(desk, SoundDesk)
    return desk
