"""Instructions as a stand-in for energy: what a processor does is what it draws, whatever its clock does meanwhile."""

import re
import shutil
import subprocess
from dataclasses import dataclass

_TIMEOUT_S = 60


@dataclass(frozen=True)
class Instructions:
    """Counted for one run of a command.

    Attributes:
        count: Instructions in user space; None where they could not be counted.
        reason: Why not.
    """

    count: int | None
    reason: str | None


def count_instructions(command: list[str]) -> Instructions:
    """Run a command under `perf stat` and count, where this machine lets us."""
    perf = shutil.which("perf")
    if perf is None:
        return Instructions(None, "perf is not installed")
    try:
        done = subprocess.run(
            [perf, "stat", "-x,", "-e", "instructions:u", "--", *command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Instructions(None, f"perf stat failed: {error}")
    found = re.search(r"^(\d+),[^,]*,instructions", done.stderr, re.MULTILINE)
    if found is None:
        return Instructions(None, "perf stat counts no instructions here (no counter, or not allowed)")
    return Instructions(int(found[1]), None)
