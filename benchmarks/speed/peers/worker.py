"""One contestant in a process of its own: loads, says so, and runs all clips whenever it is told to.

Standard input: a line for each turn. Standard output: `{"load_s": ...}` once, then `{"cpu_s": ...}` a turn.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.speed.peers.stacks import STACKS, one_thread_each

OURS, KERNELS = "edge-agent", "kernels"


def main() -> None:
    one_thread_each()
    name, root, bundle = sys.argv[1:4]
    clips = sorted(Path(root).glob("*.wav"))
    answers, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no answer
    began_s = time.process_time()
    turn = _turn(name, clips, Path(root) / "state", bundle)
    turn()
    print(json.dumps({"load_s": round(time.process_time() - began_s, 2)}), file=answers, flush=True)
    for _ in sys.stdin:
        began_s = time.process_time()
        turn()
        print(json.dumps({"cpu_s": time.process_time() - began_s}), file=answers, flush=True)


def _turn(name: str, clips: list[Path], state_dir: Path, bundle: str) -> Callable[[], object]:
    if name in STACKS:
        stack = STACKS[name]()
        return lambda: [stack.clip(path) for path in clips]
    from edge_agent.bench.kernels import Kernels  # noqa: PLC0415  # only ours has it in memory
    from edge_agent.bench.replaying import replay_once, session_of  # noqa: PLC0415
    from edge_agent.bench.sound import Ground  # noqa: PLC0415

    ground = Ground(tuple(clips), state_dir, bundle)
    session = session_of(ground)
    if name == KERNELS:
        return Kernels(session.bundle, len(clips)).all
    return lambda: replay_once(session, ground)


if __name__ == "__main__":
    main()
