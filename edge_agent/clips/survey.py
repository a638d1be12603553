"""What lies in a day's directory, against what the index knows: read only, others act on it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_agent.clips import files
from edge_agent.durable import is_temporary

_OWN = (*files.PAYLOADS.values(), files.PICTURE)


@dataclass(frozen=True, slots=True)
class DaySurvey:
    """What is to be put in order.

    Attributes:
        orphans: Files that belong to no clip: temporary ones, and those without a sidecar.
        unread: Ids of clips whose sidecar the index has not seen as it is now, or whose sound is gone.
        gone: Ids that the index knows and that have no sidecar.
        strange: What is called like a sidecar and is none that the store wrote: a link, a pipe, one of another day.
        is_empty: Whether nothing is left in it once the orphans are gone.
    """

    orphans: tuple[Path, ...]
    unread: tuple[str, ...]
    gone: tuple[str, ...]
    strange: tuple[Path, ...]
    is_empty: bool


def survey(directory: Path, known: Mapping[str, int]) -> DaySurvey:
    """Look at every file of a day; files that are none of the store's own are left out.

    Args:
        directory: The day's directory.
        known: When the sidecar of each of its indexed clips was last changed, nanoseconds of the file system.

    Raises:
        OSError: It cannot be read.
    """
    with os.scandir(directory) as entries:
        present = {entry.name: entry for entry in entries}
    first, beyond = files.ids_of_day(directory.name)
    orphans: list[Path] = []
    unread: list[str] = []
    strange: list[Path] = []
    seen: set[str] = set()
    for name, entry in present.items():
        clip_id, suffix = os.path.splitext(name)
        if _is_orphan(name, clip_id, suffix, present) and not entry.is_dir(follow_symlinks=False):
            orphans.append(Path(entry.path))
        elif suffix == files.SIDECAR and files.is_clip_id(clip_id):
            if not entry.is_file(follow_symlinks=False) or not first <= clip_id < beyond:
                strange.append(Path(entry.path))
                continue
            seen.add(clip_id)
            stamp_ns = entry.stat(follow_symlinks=False).st_mtime_ns
            if known.get(clip_id) != stamp_ns or not _has_payload(clip_id, present):
                unread.append(clip_id)
    return DaySurvey(
        tuple(orphans), tuple(unread), tuple(known.keys() - seen), tuple(strange), len(orphans) == len(present)
    )


def _is_orphan(name: str, clip_id: str, suffix: str, present: Mapping[str, "os.DirEntry[str]"]) -> bool:
    if suffix in _OWN:
        return files.is_clip_id(clip_id) and f"{clip_id}{files.SIDECAR}" not in present
    return is_temporary(name)


def _has_payload(clip_id: str, present: Mapping[str, "os.DirEntry[str]"]) -> bool:
    found = (present.get(f"{clip_id}{suffix}") for suffix in files.PAYLOADS.values())
    return any(entry is not None and entry.is_file(follow_symlinks=False) for entry in found)
