"""Our replay, its kernels and what others use, on the same clips and one core, in turn.

    python -m benchmarks.speed.peers [--clips 8] [--rounds 5] [--only NAME ...] [--keep] [--check]

Each contestant is a process of its own that has loaded everything before the first turn. A round is one turn of each;
ratios are medians over the rounds. `--keep` writes kept.json and the picture of docs/speed.md. `--check` compares with
kept.json: a ratio that fell by more than 15 % is measured twice more, and only if it stays lost in the median of all is
the status 1. On another processor than the kept one, or a machine with more than two processes waiting for each core,
it is said and not judged (status 3). Status 3 too where a target is missed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks.speed.peers.judge import LEAST_LEAD, MOST_OVER_KERNELS, Figures, losses, ratios_to
from benchmarks.speed.peers.picture import svg
from benchmarks.speed.peers.stacks import STACKS
from benchmarks.speed.peers.worker import KERNELS, OURS
from edge_agent.bench.machine import host, load, stay_on_one_core
from edge_agent.bench.sound import prepare

HERE = Path(__file__).parent
KEPT = HERE.parent / "kept.json"
PICTURE = Path("docs/speed.svg")
NAMES = {OURS: "edge-agent replay", KERNELS: "its kernels alone"} | {key: kind.name for key, kind in STACKS.items()}
LOST, MISSED = 1, 3
RETRIES = 2
MOST_WAITING = 2.0


class Contestant:
    """A worker process."""

    def __init__(self, name: str, clips: Path, bundle: Path) -> None:
        command = [sys.executable, "-m", "benchmarks.speed.peers.worker", name, str(clips), str(bundle)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.name = name
        self.load_s = float(self._answer()["load_s"])

    def turn(self) -> float:
        """Run all clips; processor seconds."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._answer()["cpu_s"])

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def _answer(self) -> dict[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended with status {self._process.wait()}")
        answer: dict[str, float] = json.loads(line)
        return answer


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=[*STACKS], metavar="NAME", help=f"of {', '.join(STACKS)}")
    parser.add_argument("--bundle", type=Path, default=Path("models/default"))
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    before, computer = load(), host()
    stay_on_one_core()
    names = [OURS, KERNELS, *(arguments.only or _installed())]
    with tempfile.TemporaryDirectory(prefix="peers-") as root, ExitStack() as stack:
        prepare(Path(root), max(8, arguments.clips), str(arguments.bundle.resolve()))
        contestants = []
        for name in names:
            contestants.append(Contestant(name, Path(root), arguments.bundle.resolve()))
            stack.callback(contestants[-1].close)
        rounds = _rounds(contestants, arguments.rounds)
        kept = Figures.read(KEPT) if arguments.check else None
        for _ in range(RETRIES if kept is not None and kept.cpu == computer.cpu else 0):
            if not losses(ratios_to(OURS, rounds), kept.ratios):
                break
            rounds += _rounds(contestants, arguments.rounds)
        clips = max(8, arguments.clips)
        figures = Figures(
            cpu=computer.cpu,
            load=(before, load()),
            window_ms={n: round(1000 * statistics.median(each[n] for each in rounds) / clips, 3) for n in names},
            load_s={each.name: each.load_s for each in contestants},
            ratios=ratios_to(OURS, rounds),
            rounds=len(rounds),
        )
    _print(figures)
    if arguments.keep:
        KEPT.write_text(figures.to_json(), encoding="utf-8")
        PICTURE.write_text(svg(figures, NAMES), encoding="utf-8")
    return _judge(figures, kept, computer.cores)


def _installed() -> list[str]:
    """The stacks whose libraries are there; the others are named."""
    missing = [m for m in ("keras", "tensorflow", "librosa", "sklearn", "PIL") if importlib.util.find_spec(m) is None]
    if not missing:
        return [*STACKS]
    print(f"without {', '.join(missing)} (the extra [train] brings them): only our own are measured")
    return []


def _rounds(contestants: list[Contestant], count: int) -> list[dict[str, float]]:
    return [{each.name: each.turn() for each in contestants} for _ in range(count)]


def _print(figures: Figures) -> None:
    print(f"{figures.cpu}; load {figures.load[0]:g} before, {figures.load[1]:g} after; {figures.rounds} rounds in turn")
    print(f"{'contestant':42} {'ms a window':>12} {'x real time':>12} {'times ours':>11} {'load, s':>8}")
    for name, window_ms in sorted(figures.window_ms.items(), key=lambda item: item[1]):
        ratio = figures.ratios.get(name, 1.0)
        said = f"{window_ms:12.2f} {10_000 / window_ms:12.0f} {ratio:11.2f} {figures.load_s[name]:8.1f}"
        print(f"{NAMES[name]:42} {said}")


def _judge(figures: Figures, kept: Figures | None, cores: int) -> int:
    others = {name: ratio for name, ratio in figures.ratios.items() if name != KERNELS}
    over = 1.0 / figures.ratios[KERNELS]
    met = over <= MOST_OVER_KERNELS
    print(f"replay takes {over:.2f} times its kernels, target {MOST_OVER_KERNELS:g}: {'met' if met else 'MISSED'}")
    if others:
        lead = min(others.values())
        met = met and lead >= LEAST_LEAD
        verdict = "met" if lead >= LEAST_LEAD else "MISSED"
        print(f"the quickest other takes {lead:.1f} times as long as ours, target {LEAST_LEAD:g}: {verdict}")
    if kept is not None:
        lost = losses(figures.ratios, kept.ratios)
        busy = max(figures.load) / cores > MOST_WAITING
        if kept.cpu != figures.cpu or busy:
            why = f"load {max(figures.load):g} on {cores} cores" if busy else f"another processor than {kept.cpu}"
            print(f"not judged against what was kept ({why}){': ' + '; '.join(lost) if lost else ''}")
        elif lost:
            print("LOST against what was kept: " + "; ".join(lost))
            return LOST
    return 0 if met else MISSED


if __name__ == "__main__":
    os.environ.setdefault("PYTHONPATH", str(Path.cwd()))
    sys.exit(main())
