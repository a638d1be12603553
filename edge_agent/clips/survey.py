"""What lies in the store's directories, against what the index knows: read only, the store acts on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_agent.clips import files
from edge_agent.durable import is_temporary


@dataclass(frozen=True, slots=True)
class Survey:
    """What is to be put in order.

    Attributes:
        orphans: Files that belong to no clip: temporary ones, and those without a sidecar.
        unread: Sidecars that the index has not seen as they are now.
        gone: Ids that the index knows and that have no sidecar.
        empty: Directories in which nothing is left once the orphans are gone.
    """

    orphans: tuple[Path, ...]
    unread: tuple[Path, ...]
    gone: tuple[str, ...]
    empty: tuple[Path, ...]


def survey(root: Path, known: Mapping[str, int]) -> Survey:
    """Look at every file of the store; files that are none of its own are left out.

    Args:
        root: The store's directory.
        known: When the sidecar of every indexed clip was last changed, nanoseconds of the file system.

    Raises:
        OSError: A directory cannot be read.
    """
    orphans: list[Path] = []
    unread: list[Path] = []
    empty: list[Path] = []
    seen: set[str] = set()
    for directory in files.days(root):
        present = {path.name: path for path in directory.iterdir()}
        lost = [path for path in present.values() if _is_orphan(path, present)]
        orphans += lost
        if len(lost) == len(present):
            empty.append(directory)
        for path in present.values():
            if path.suffix == files.SIDECAR and files.is_clip_id(path.stem):
                seen.add(path.stem)
                if known.get(path.stem) != path.stat().st_mtime_ns or not _has_payload(path, present):
                    unread.append(path)
    return Survey(tuple(orphans), tuple(unread), tuple(known.keys() - seen), tuple(empty))


def _is_orphan(path: Path, present: Mapping[str, Path]) -> bool:
    if is_temporary(path):
        return True
    return files.is_clip_id(path.stem) and f"{path.stem}{files.SIDECAR}" not in present


def _has_payload(path: Path, present: Mapping[str, Path]) -> bool:
    return any(f"{path.stem}{suffix}" in present for suffix in files.PAYLOADS.values())
