"""`/clips`: label, move, delete, restore, purge."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from edge_agent.delivery.fields import Ulid
from training_hub.api.access import Address, Admin, Operator, Parts
from training_hub.api.deeds import deed_of
from training_hub.api.problems import problems
from training_hub.api.views.clips import ChangedView, ClipView, Dataset, PurgedView
from training_hub.api.words import ClipId, LongText, Moment, ShortText, Wish
from training_hub.catalogue.labelling import MOST_AT_ONCE, label_clips, move_clips
from training_hub.catalogue.removal import delete_clips, purge_clips, restore_clips

router = APIRouter(tags=["clips"], responses=problems(404, 409))

Ids = Annotated[list[Ulid], Field(min_length=1, max_length=MOST_AT_ONCE, description="Ids of clips.")]
LabelWord = Annotated[
    ShortText | None,
    Field(description="`normal`, or the fault's name; null takes the label back.", examples=["bearing"]),
]
Note = Annotated[LongText | None, Field(description="In the person's words.", examples=["squeaks when cold"])]


class LabelWish(Wish):
    """What a clip is."""

    label: LabelWord
    note: Note = None


class LabelManyWish(LabelWish):
    """What several clips are."""

    ids: Ids


class DatasetWish(Wish):
    """What a clip is to be used for."""

    dataset: Dataset


class ClipsWish(Wish):
    """Several clips."""

    ids: Ids


class PurgeWish(Wish):
    """Which deleted clips are to be forgotten."""

    deleted_before: Annotated[Moment, Field(description="When they were deleted.", examples=["2026-01-01T00:00:00Z"])]


@router.post("/clips/label", summary="Label several clips")
def label_many(parts: Parts, person: Operator, address: Address, wish: LabelManyWish) -> ChangedView:
    """Label all of them or, where one is not there, none: normal ones go to training, others to validation."""
    with parts.database.transaction() as session:
        clips = label_clips(session, wish.ids, wish.label, deed_of(person, address), note=wish.note)
        return ChangedView.of(clips)


@router.post("/clips/delete", summary="Delete several clips")
def delete_many(parts: Parts, person: Operator, address: Address, wish: ClipsWish) -> ChangedView:
    """Take all of them out of lists, counts and training or, where one is not there, none."""
    with parts.database.transaction() as session:
        return ChangedView.of(delete_clips(session, wish.ids, deed_of(person, address)))


@router.post("/clips/restore", summary="Restore several clips")
def restore_many(parts: Parts, person: Operator, address: Address, wish: ClipsWish) -> ChangedView:
    """Put all of them back or, where one was not deleted, none."""
    with parts.database.transaction() as session:
        return ChangedView.of(restore_clips(session, wish.ids, deed_of(person, address)))


@router.post("/clips/purge", summary="Forget deleted clips")
def purge(parts: Parts, person: Admin, address: Address, wish: PurgeWish) -> PurgedView:
    """Forget clips that were deleted before a moment, for ever, 500 at a time."""
    moment: datetime = wish.deleted_before
    with parts.database.transaction() as session:
        gone = purge_clips(session, parts.objects, deed_of(person, address), deleted_before=moment)
    return PurgedView(purged=gone)


@router.post("/clips/{id}/label", summary="Label a clip")
@router.patch("/clips/{id}/label", summary="Label a clip again")
def label(parts: Parts, person: Operator, address: Address, id: ClipId, wish: LabelWish) -> ClipView:
    """Say what a clip is: a normal one goes to training, another to validation, one from outside stays apart."""
    with parts.database.transaction() as session:
        (clip,) = label_clips(session, [id], wish.label, deed_of(person, address), note=wish.note)
        return ClipView.of(clip)


@router.post("/clips/{id}/dataset", summary="Move a clip")
def move(parts: Parts, person: Operator, address: Address, id: ClipId, wish: DatasetWish) -> ClipView:
    """Use a clip for something else; a labelled fault is never trained on."""
    with parts.database.transaction() as session:
        (clip,) = move_clips(session, [id], wish.dataset, deed_of(person, address))
        return ClipView.of(clip)


@router.delete("/clips/{id}", summary="Delete a clip")
def delete(parts: Parts, person: Operator, address: Address, id: ClipId) -> ClipView:
    """Take a clip out of lists, counts and training; it can be restored until it is purged."""
    with parts.database.transaction() as session:
        (clip,) = delete_clips(session, [id], deed_of(person, address))
        return ClipView.of(clip)


@router.post("/clips/{id}/restore", summary="Restore a clip")
def restore(parts: Parts, person: Operator, address: Address, id: ClipId) -> ClipView:
    """Put a deleted clip back where it was."""
    with parts.database.transaction() as session:
        (clip,) = restore_clips(session, [id], deed_of(person, address))
        return ClipView.of(clip)
