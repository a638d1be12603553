"""Keeps, changes, replaces, evicts and deletes clips; killed before the first thing done to a file, the second, ..."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

from edge_agent.clips.books import StoreLimits
from edge_agent.clips.errors import ClipError
from edge_agent.clips.reasons import Reason
from edge_agent.clips.store import ClipStore
from tests.clips.samples import ids, sidecar

CLIP_BYTES = 5_000
TAKES = CLIP_BYTES + 200 + 4096
_EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "fcntl.flock")


def main() -> None:
    """Argument: a directory. In `<n>/clips` of it lies what is left of the run that died at event n, in `<n>/said` what
    it had promised; the last run got to its end.
    """
    for last in count(1):
        directory = Path(sys.argv[1]) / str(last)
        directory.mkdir()
        child = os.fork()  # a process of its own, without the second that imports take
        if child == 0:
            with (directory / "said").open("w", buffering=1) as said:
                act(directory / "clips", last, lambda *words: print(*words, file=said))
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            return


def act(root: Path, last: int, say: Callable[..., None]) -> None:
    """One run."""
    seen = 0

    def die(event: str, words: tuple[object, ...]) -> None:
        nonlocal seen
        if event in _EVENTS and (event == "fcntl.flock" or str(root) in str(words[0])):
            seen += 1
            if seen == last:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(die)
    store = ClipStore(root, StoreLimits(max_bytes=4 * TAKES, min_free_bytes=0))
    store.tidy()
    make = ids()
    slot = {"slot": "19675.2/6"}

    def put(reason: Reason = Reason.RANDOM, **more: object) -> str:
        made = store.put(sidecar(next(make), reason, **more), os.urandom(CLIP_BYTES), b"p" * 200)  # type: ignore[arg-type]
        say("kept", made.id, reason.value)
        return made.id

    put(Reason.ALARM)
    first = put(**slot)
    put(**slot)  # takes the place of the one before
    say("gone", first)
    pinned = put()
    store.change(pinned, lambda clip: clip.model_copy(update={"pinned": True}))
    say("pinned", pinned)
    put()
    with contextlib.suppress(ClipError):
        put(Reason.NOVEL)  # gives up what is worth less
    store.delete(pinned)
    say("gone", pinned)


if __name__ == "__main__":
    main()
