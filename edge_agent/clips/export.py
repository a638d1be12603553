"""Copies of clips for people: onto a stick, into a folder."""

import contextlib
import os
from pathlib import Path

from edge_agent.clips import files
from edge_agent.clips.errors import ClipError, failure_of
from edge_agent.clips.store import ClipStore
from edge_agent.durable import temporary_of

_CHUNK_BYTES = 1 << 20


def export_clip(store: ClipStore, clip_id: str, to: Path) -> Path:
    """Copy a clip with its picture and its sidecar, each whole or not at all, the sidecar last.

    Args:
        store: Where it is.
        clip_id: Which one.
        to: The directory; it is there. `sync_directory` makes it outlast a power cut.

    Returns:
        The copy of its sound, or of its log-mel frames.

    Raises:
        ClipError: There is no such clip, or it cannot be read.
        OSError: The target refuses; nothing half is left in it.
    """
    sidecar = store.find(clip_id)
    payload, picture = store.payload_path(sidecar), store.picture_path(sidecar)
    _copy(payload, to / payload.name)
    if picture is not None and picture.is_file():  # the sound is worth having without it
        _copy(picture, to / picture.name)
    _copy(payload.with_suffix(files.SIDECAR), to / f"{clip_id}{files.SIDECAR}")
    return to / payload.name


def _copy(path: Path, target: Path) -> None:
    try:
        source = files.open_plain(path)
    except OSError as error:
        raise ClipError(f"{path}: {error.strerror}; delete the clip", failure_of(error)) from error
    temporary = temporary_of(target)
    try:
        with source, temporary.open("wb") as file:
            while chunk := source.read(_CHUNK_BYTES):
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError:
        with contextlib.suppress(OSError):  # the first error is the one that tells
            temporary.unlink()
        raise
