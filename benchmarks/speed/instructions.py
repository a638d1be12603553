"""Instructions that a second of sound takes, counted by callgrind: a stand-in for energy that no other work disturbs.

Usage: python -m benchmarks.speed.instructions [--json]

Replays a short and a longer recording of a commissioned machine and divides the difference by the difference of their
lengths, so that start-up is apart. Callgrind offers programs no AVX-512: a processor that has it needs fewer.
Prints what it found; exits with 2 where valgrind is not installed.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from edge_agent.bench.sound import CLIP_S, MACHINE, Ground, prepare

SHORT, LONG = 6, 12
"""Clips of ten seconds."""
EXIT_NO_TOOL = 2
_TIMEOUT_S = 600


class CallgrindError(RuntimeError):
    """The program could not be counted."""


@dataclass(frozen=True)
class Count:
    """What was counted.

    Attributes:
        per_second: Instructions for a second of sound.
        start: Instructions before the first sound is read, and after the last.
    """

    per_second: float
    start: float

    @classmethod
    def of(cls, short: int, long: int, short_s: float, long_s: float) -> "Count":
        """From two runs over so many seconds of sound.

        >>> Count.of(2_000, 2_600, 60.0, 120.0)
        Count(per_second=10.0, start=1400.0)
        """
        per_second = (long - short) / (long_s - short_s)
        return cls(per_second, short - per_second * short_s)


def count(command: list[str], directory: Path) -> int:
    """Instructions of a command in user space.

    Raises:
        CallgrindError: It failed, or callgrind said no figure.
    """
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise CallgrindError("valgrind is not installed (apt install valgrind)")
    words = [valgrind, "--tool=callgrind", f"--callgrind-out-file={directory / 'callgrind.out'}", *command]
    # with another seed the interpreter's own tables lie differently, some million instructions of its start
    environ = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run(words, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False, env=environ)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or found is None:
        raise CallgrindError(f"status {done.returncode}: {done.stderr[-500:]}")
    return int(found[1])


def replay(ground: Ground, clips: int) -> list[str]:
    """The command that hears so many clips."""
    paths = map(str, ground.clips[:clips])
    words = [sys.executable, "-m", "edge_agent", "replay", "--json", "--machine", MACHINE]
    return [*words, "--state-dir", str(ground.state_dir), *paths]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one object")
    as_json = parser.parse_args().json
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        ground = prepare(root, LONG, None)
        try:
            short, long = (count(replay(ground, clips), root) for clips in (SHORT, LONG))
        except CallgrindError as error:
            print(f"instructions: {error}", file=sys.stderr)
            return EXIT_NO_TOOL
    found = Count.of(short, long, SHORT * CLIP_S, LONG * CLIP_S)
    if as_json:
        print(json.dumps(asdict(found)))
    else:
        print(
            f"{found.per_second / 1e6:.1f} million instructions a second of sound, "
            f"{found.start / 1e6:.0f} million to start and end (callgrind, no AVX-512)"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
