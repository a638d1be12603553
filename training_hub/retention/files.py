"""Files of the state directory that can be made again: fitted profiles, unpacked bundles, work of jobs that ended."""

import os
import shutil
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from training_hub.catalogue.database import Database
from training_hub.catalogue.tables import Job
from training_hub.jobs.ledger import UNFINISHED

_CACHES = ("cache/profiles", "cache/bundles")
_WORK = "work"
_JUST_ENDED = timedelta(days=1)
_GOING = ".going-"


def remove_files(state_dir: Path, database: Database, *, before: datetime, now: datetime) -> Iterator[int]:
    """Remove what nobody used since a moment, and folders of jobs that ended; 1 after each.

    Whoever uses a file of a cache marks it by `used`.

    Args:
        state_dir: Of the hub or worker.
        database: Says which jobs still go on.
        before: What was used later stays.
        now: This computer's clock.

    Raises:
        SQLAlchemyError: The database does not answer.
    """
    for cache in _CACHES:
        for path in _entries(state_dir / cache, before):
            _remove(path)
            yield 1
    ended = _entries(state_dir / _WORK, now - _JUST_ENDED)
    if ended:
        with database.transaction(writes=False) as session:
            going_on = set(session.scalars(select(Job.id).where(Job.state.in_(UNFINISHED))))
        for path in ended:
            if path.name not in going_on:
                _remove(path)
                yield 1


def used(path: Path) -> None:
    """Say that an entry of a cache is in use; one that is gone, or another user's, is no matter."""
    try:
        os.utime(path)
    except OSError:
        return


def _entries(directory: Path, before: datetime) -> list[Path]:
    if not directory.is_dir():
        return []
    found = []
    for path in sorted(directory.iterdir()):
        try:
            if path.stat(follow_symlinks=False).st_mtime < before.timestamp():
                found.append(path)
        except FileNotFoundError:  # another process was first
            continue
    return found


def _remove(path: Path) -> None:
    """Out of sight at once, then gone: nobody finds half of a folder."""
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
        return
    going = path if path.name.startswith(_GOING) else path.with_name(f"{_GOING}{uuid.uuid4().hex}")
    try:
        if going != path:
            path.rename(going)
    except FileNotFoundError:  # another process was first
        return
    shutil.rmtree(going, ignore_errors=True)
