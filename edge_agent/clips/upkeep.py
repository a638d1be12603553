"""Brings the index up to the sidecars, and sweeps what a crash left: a day at a time, so that memory stays small."""

import contextlib
import logging
from pathlib import Path

from edge_agent.clips import files
from edge_agent.clips.books import Books
from edge_agent.clips.errors import ClipError
from edge_agent.clips.index import ClipIndex
from edge_agent.clips.reasons import Removed
from edge_agent.clips.row import ClipRow
from edge_agent.clips.shelf import ClipShelf
from edge_agent.clips.survey import survey

_log = logging.getLogger(__name__)

_IDS_AT_A_TIME = 10_000


def reconcile(root: Path, shelf: ClipShelf, index: ClipIndex, books: Books) -> None:
    """Put in order whatever is not; nobody else may change the store meanwhile.

    Raises:
        OSError: The disk refuses to be read.
        ClipError: The index cannot be written.
    """
    books.unreadable = 0
    present: set[str] = set()
    for directory in files.days(root):
        present.add(directory.name)
        _reconcile_day(directory, shelf, index, books)
    clip_id = ""
    while ids := index.ids_after(clip_id, limit=_IDS_AT_A_TIME):
        clip_id = ids[-1]
        if gone := [each for each in ids if not files.is_clip_id(each) or files.day_of(each) not in present]:
            index.remove(gone)


def read_again(clip_id: str, shelf: ClipShelf, books: Books) -> ClipRow | None:
    """A clip as the index is to keep it; None where there is none any more, or none that can be used.

    One whose sound is gone is removed; a sidecar that cannot be read is left for a person to look at.

    Raises:
        OSError: The disk refuses.
    """
    try:
        return shelf.row(clip_id)
    except FileNotFoundError:
        _log.warning("clip %s: its file is gone, it is removed", clip_id)
        shelf.remove(clip_id)
        books.removed[Removed.DAMAGED.value] += 1
    except ClipError as error:
        _log.warning("clip left out: %s", error)
        books.unreadable += 1
    return None


def _reconcile_day(directory: Path, shelf: ClipShelf, index: ClipIndex, books: Books) -> None:
    found = survey(directory, index.stamps(*files.ids_of_day(directory.name)))
    for path in found.orphans:
        files.remove(path)
    books.swept += len(found.orphans)
    for path in found.strange:
        _log.warning("clip left out: %s is no file of this day that the agent wrote", path)
    books.unreadable += len(found.strange)
    rows = {clip_id: read_again(clip_id, shelf, books) for clip_id in found.unread}
    if fresh := [row for row in rows.values() if row is not None]:
        index.put(*fresh)
    if gone := [*found.gone, *(clip_id for clip_id, row in rows.items() if row is None)]:
        index.remove(gone)
    if found.is_empty:
        with contextlib.suppress(OSError):  # an orphan in it could not be removed: the next start tries again
            directory.rmdir()
