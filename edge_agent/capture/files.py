"""What recordings a command line names: files, directories, globs and lists of paths."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from edge_agent.capture.source import SourceError

AUDIO_SUFFIXES: Final = frozenset({".wav", ".wave", ".w64", ".rf64", ".flac"})
LOG_MEL_SUFFIX: Final = ".npz"
SUFFIXES: Final = AUDIO_SUFFIXES | {LOG_MEL_SUFFIX}
"""What is picked up from directories and globs, in lower case; a file named outright is taken as it is."""

MAX_LIST_BYTES: Final = 16 * 1024 * 1024


class InputError(SourceError):
    """A file or path given as input cannot be used: which, what is wrong, how to mend it. One line.

    Attributes:
        path: The file or path as given.
        what: What is wrong with it.
        mend: What to do about it.
    """

    def __init__(self, path: str | Path, what: str, mend: str) -> None:
        self.path = path
        self.what = what
        self.mend = mend
        # A file name or a quoted value may hold anything, line breaks and terminal escapes included.
        text = f"{path}: {what}; {mend}"
        super().__init__("".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text))


def is_log_mel(path: Path) -> bool:
    """Whether a path names clips of log-mel (`.npz`) and no sound."""
    return path.suffix.lower() == LOG_MEL_SUFFIX


def expand(paths: Iterable[str | Path]) -> tuple[Path, ...]:
    """The recordings that PATH arguments name, in a fixed order, each once.

    A path is a file (of any name: its content decides), a directory (searched to the bottom, without following
    links to directories, in sorted order; suffixes of `SUFFIXES` in any case; hidden files left out), a glob
    (`*`, `?`, `[...]`, `**`; same rules as for directories), or `@list.txt`: one path per line, UTF-8, relative to
    the list's own directory, blank lines and lines that start with `#` left out, no lists inside lists. A file
    whose name holds glob characters or starts with `./@` is named by itself.

    Raises:
        InputError: A path does not exist or cannot be read, or nothing in it is a recording.
    """
    found: dict[str, Path] = {}
    for path in paths:
        for file in _expand_argument(os.fspath(path)):
            found.setdefault(os.path.abspath(file), file)
    if not found:
        raise InputError("(no path)", "there is nothing to read", "name files, directories, globs or @list.txt")
    return tuple(found.values())


def _expand_argument(text: str) -> Iterator[Path]:
    if text.startswith("@"):
        yield from _expand_list(Path(text[1:]))
    else:
        yield from _expand_path(text)


def _expand_path(text: str) -> Iterator[Path]:
    if not text or "\0" in text:
        raise InputError(repr(text), "is no path", "name a file, a directory, a glob or @list.txt")
    path = Path(text)
    try:
        path.stat()
    except FileNotFoundError:
        if not glob.has_magic(text):
            raise InputError(path, "does not exist", "check the path") from None
        yield from _expand_glob(text)
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})", "check the path and its rights") from error
    else:
        if path.is_dir():
            yield from _require(path, _search_directory(path))
        else:
            yield path


def _expand_glob(pattern: str) -> Iterator[Path]:
    def matches() -> Iterator[Path]:
        for name in sorted(glob.glob(pattern, recursive=True)):
            path = Path(name)
            if path.is_dir():
                # With `**` every level is matched; files below are then found once, by the dict in `expand`.
                yield from _search_directory(path)
            elif _is_recording_name(path.name):
                yield path

    yield from _require(pattern, matches())


def _expand_list(path: Path) -> Iterator[Path]:
    try:
        if not path.is_file():
            raise InputError(path, "is no list of paths", "give @FILE with one path per line")
        if path.stat().st_size > MAX_LIST_BYTES:
            raise InputError(path, f"is longer than {MAX_LIST_BYTES} bytes", "split the list")
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(path, f"cannot be read as a list ({reason})", "give a text file of paths") from error

    def entries() -> Iterator[Path]:
        for number, line in enumerate(lines, start=1):
            entry = line.strip()
            if not entry or entry.startswith("#"):
                continue
            if entry.startswith("@"):
                raise InputError(f"{path}:{number}", "names another list", "write its paths into this one")
            try:
                yield from _expand_path(os.path.join(path.parent, entry))
            except InputError as error:
                raise InputError(f"{path}:{number}: {error.path}", error.what, error.mend) from error

    yield from _require(path, entries())


def _search_directory(root: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise InputError(error.filename, f"cannot be searched ({error.strerror})", "check its rights") from error

    found: list[Path] = []
    for directory, names, files in os.walk(root, onerror=refuse):
        names[:] = [name for name in names if not name.startswith(".")]
        found.extend(Path(directory, name) for name in files if _is_recording_name(name))
    return iter(sorted(found))


def _is_recording_name(name: str) -> bool:
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES


def _require(what: str | Path, files: Iterator[Path]) -> Iterator[Path]:
    nothing = True
    for file in files:
        nothing = False
        yield file
    if nothing:
        wanted = " ".join(sorted(SUFFIXES))
        raise InputError(what, "names no recording", f"recordings end in {wanted}")
