"""Child processes that do not outlive the agent.

`python -m edge_agent.capture.parent_death PARENT_PID COMMAND...` runs a command that is not ours so that it dies with
its parent: the wish survives `exec`.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent_pid: int) -> None:
    """Ask the kernel to kill this process when the thread that started it ends; see prctl(2), PR_SET_PDEATHSIG.

    Ends the process at once where the parent is already gone.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent_pid:
        os._exit(1)


def main(words: list[str]) -> None:
    """Become the command."""
    die_with_parent(int(words[0]))
    os.execvp(words[1], words[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
