"""What only the start needed, given back once the agent listens."""

import ctypes
import gc
import os
import re
import sys
from collections.abc import Iterable, Iterator

_MADV_DONTNEED = 4
_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) r-[-x]p \S+ \S+ [1-9]\d* +(/.*)$")
"""A stretch of a file, of which this process reads or runs a copy of its own and writes nothing."""


class Leftovers:
    """What starting leaves behind: garbage, free memory within the heap, pages of libraries.

    Of the libraries' pages that a start touches, or that lie around one that it touches, over half are never needed
    again: tables of symbols, what registers functions. The kernel may take them at any time, for they are on the disk
    as well, but until it has to, it counts them to the agent. Let go, they stay in its cache of files, and one that is
    needed after all is back in a microsecond. Nothing else changes, neither what they hold nor who may read them.

    Made while the process has one thread: no library is on its way in then, half in its place. Of those that are there
    none goes, for Python unloads no library; so what is noted now is true later. Some 10 ms each, to note and to free.
    """

    def __init__(self) -> None:
        self._pages: tuple[tuple[int, int], ...] = ()
        if not sys.platform.startswith("linux"):
            return
        try:
            if len(os.listdir("/proc/self/task")) == 1:
                with open("/proc/self/smaps", encoding="utf-8", errors="surrogateescape") as mappings:
                    self._pages = tuple(library_pages(mappings, os.path.realpath(sys.executable)))
        except OSError:  # a kernel without it, or a service that may not see it: the pages stay
            return

    @property
    def pages(self) -> int:
        """How many stretches of libraries are noted."""
        return len(self._pages)

    def let_go(self) -> None:
        """Give it back, once. What the C library does not offer is left out."""
        gc.collect()
        library = ctypes.CDLL(None)
        trim = getattr(library, "malloc_trim", None)
        if trim is not None:
            trim(ctypes.c_size_t(0))
        pages, self._pages = self._pages, ()
        if pages:
            advise = library.madvise
            advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
            for first, size in pages:
                advise(first, size, _MADV_DONTNEED)


def library_pages(smaps: Iterable[str], program: str) -> Iterator[tuple[int, int]]:
    """Where programs and libraries lie whose pages are as they are on the disk: first address and size in bytes.

    A mapping with a page of its own, such as what the loader has fitted to the library's place, is left out.

    Args:
        smaps: Lines of `/proc/<pid>/smaps`.
        program: The path of the program.

    >>> text = [
    ...     "7f10a000-7f10c000 r-xp 0000 08:01 7 /usr/lib/libm.so.6", "Anonymous:             0 kB",
    ...     "7f10c000-7f10d000 r--p 2000 08:01 7 /usr/lib/libm.so.6", "Anonymous:             4 kB",
    ...     "7f20d000-7f20e000 rw-p 0000 00:00 0 ", "Anonymous:             0 kB",
    ... ]
    >>> [(hex(first), size) for first, size in library_pages(text, "/usr/bin/python3")]
    [('0x7f10a000', 8192)]
    """
    at: tuple[int, int] | None = None
    for line in smaps:
        found = _MAPPING.match(line)
        if found:
            first, stop, path = int(found[1], 16), int(found[2], 16), found[3]
            at = (first, stop - first) if path == program or re.search(r"\.so(\.[0-9.]+)?$", path) else None
        elif "-" in line.partition(" ")[0]:
            at = None
        elif at is not None and line.startswith("Anonymous:") and line.split()[1] == "0":
            yield at
