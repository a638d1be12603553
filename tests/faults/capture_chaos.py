"""Breaks random microphones in random ways, one after another, and counts what that cost.

`python -m tests.faults.capture_chaos --faults 50` is the long run; the tests do a short one.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from edge_agent.capture import pace
from edge_agent.capture.runner import SourceState
from edge_agent.pipeline.policy import Unscorable
from tests.faults.capture_rig import RATE_HZ, TONES_HZ, WINDOW_S, Microphone, Rig, await_true, readers

KINDS = ("unplug", "freeze", "hiccup", "kill_reader")
REPLUG_WITHIN_S = 5.0
FROZEN_WITHIN_S = 15.0


@dataclass(frozen=True)
class Blow:
    """One fault and what it cost.

    Attributes:
        kind: What was done.
        microphone: To whom.
        away_s: How long the microphone was truly away.
        noticed_s: From the fault until the source was down.
        back_s: From the fault's end until samples came again.
        lost_s: Sound that was lost, as booked.
        others_lost: Samples that the others lost meanwhile.
        windows_lost: Windows of this microphone that were not scored.
        from_sample: Where its sample clock stood before the fault.
    """

    kind: str
    microphone: str
    away_s: float
    noticed_s: float
    back_s: float
    lost_s: float
    others_lost: int
    from_sample: int
    windows_lost: int = 0


@dataclass(frozen=True)
class Outcome:
    """What all faults cost."""

    blows: tuple[Blow, ...]
    foreign_blocks: tuple[str, ...]
    unbalanced: int
    left_pending: int
    left_processes: int

    @property
    def complaints(self) -> list[str]:
        """Promises that were broken."""
        found = []
        for number, blow in enumerate(self.blows):
            limit_s = FROZEN_WITHIN_S if blow.kind == "freeze" else REPLUG_WITHIN_S
            if blow.back_s > limit_s:
                found.append(f"fault {number}: back after {blow.back_s:.1f} s: {blow}")
            if blow.windows_lost > 1:
                found.append(f"fault {number}: {blow.windows_lost} windows lost: {blow}")
            if blow.others_lost:
                found.append(f"fault {number}: others lost {blow.others_lost} samples: {blow}")
        for name in ("foreign_blocks", "unbalanced", "left_pending", "left_processes"):
            if getattr(self, name):
                found.append(f"{name}: {getattr(self, name)}")
        return found


def run(directory: Path, *, faults: int, seed: int, microphones: int = 3) -> Outcome:
    """Break one microphone after another; between two faults each source runs for a while."""
    choose = random.Random(seed)
    rig = Rig(tuple(Microphone(directory / f"m{k}", f"m{k}", TONES_HZ[k]) for k in range(microphones)))
    blows = []
    for microphone in rig.microphones.values():
        microphone.plug()
    try:
        with rig.running():
            for name in rig.microphones:
                if await_true(lambda name=name: rig.seen[name].blocks > 5, 20) == float("inf"):
                    raise RuntimeError(f"{name} did not start")
            for _ in range(faults):
                time.sleep(choose.uniform(0.5, 3.0))
                blows.append(strike(rig, choose.choice(KINDS), choose.choice(list(rig.microphones)), choose))
            time.sleep(WINDOW_S)  # so that the last fault's window ends
    finally:
        for microphone in rig.microphones.values():
            microphone.unplug()
    return Outcome(
        blows=tuple(_with_windows(rig, blows)),
        foreign_blocks=tuple(f"{name} at {each}" for name, seen in rig.seen.items() for each in seen.foreign),
        unbalanced=len(rig.unbalanced),
        left_pending=sum(snapshot.pending for snapshot in rig.books().values()),
        left_processes=len(readers()),
    )


def strike(rig: Rig, kind: str, name: str, choose: random.Random) -> Blow:
    """One fault, until the microphone is heard again."""
    microphone = rig.microphones[name]
    before = {each: rig.lost(each) for each in rig.microphones}
    from_sample = rig.books()[name].captured
    struck_s = time.monotonic()
    noticed_s = float("inf")
    match kind:
        case "unplug":
            microphone.unplug()
            noticed_s = await_true(lambda: rig.state(name) is SourceState.DOWN, 10)
            time.sleep(max(0.0, choose.uniform(0.1, 8.0) - noticed_s))
            microphone.plug()
        case "freeze":
            microphone.freeze()
            noticed_s = await_true(lambda: rig.state(name) is SourceState.DOWN, 20)
            microphone.thaw()
        case "hiccup":
            microphone.freeze()
            time.sleep(choose.uniform(0.2, 1.5))
            microphone.thaw()
        case _:
            os.kill(choose.choice(rig.readers_of(name)), signal.SIGKILL)
            noticed_s = await_true(lambda: rig.state(name) is SourceState.DOWN, 10)
    ended_s = time.monotonic()
    back_s = await_true(lambda: rig.delivers(name, ended_s), 30)
    await_true(lambda: rig.state(name) is not SourceState.DOWN, 5)
    # what a driver lost without saying so is told by the pace, which takes two looks at it
    time.sleep(2 * pace.WINDOW_S + 0.5 if kind == "hiccup" else 0.5)
    return Blow(
        kind=kind,
        microphone=name,
        away_s=round(ended_s - struck_s, 2),
        noticed_s=round(noticed_s, 2),
        back_s=round(back_s, 2),
        lost_s=round((rig.lost(name) - before[name]) / RATE_HZ, 2),
        others_lost=sum(rig.lost(each) - before[each] for each in rig.microphones if each != name),
        from_sample=from_sample,
    )


def _with_windows(rig: Rig, blows: list[Blow]) -> list[Blow]:
    """Ascribe each window that was not scored to the last fault that had begun before it ended."""
    lost = Counter[int]()
    for name, seen in rig.seen.items():
        for window in seen.rejected:
            begun = [n for n, b in enumerate(blows) if b.microphone == name and b.from_sample < window.window.stop]
            if begun and window.rejected is Unscorable.LOW_COVERAGE:
                lost[begun[-1]] += 1
    return [replace(blow, windows_lost=lost[number]) for number, blow in enumerate(blows)]


def summary(outcome: Outcome) -> str:
    """What happened, as a table."""
    lines = [f"{'kind':<12}{'faults':>7}{'back s':>16}{'lost s':>16}{'windows lost':>14}"]
    kinds = Counter(blow.kind for blow in outcome.blows)
    for kind, count in sorted(kinds.items()):
        own = [blow for blow in outcome.blows if blow.kind == kind]
        back = f"{sum(b.back_s for b in own) / count:.2f} max {max(b.back_s for b in own):.2f}"
        lost = f"{sum(b.lost_s for b in own) / count:.2f} max {max(b.lost_s for b in own):.2f}"
        worst = max(b.windows_lost for b in own)
        lines.append(f"{kind:<12}{count:>7}{back:>16}{lost:>16}{f'max {worst}':>14}")
    totals = asdict(outcome)
    totals.pop("blows")
    lines.append(json.dumps({**totals, "others_lost": sum(b.others_lost for b in outcome.blows)}))
    return "\n".join([*lines, *(outcome.complaints or ["every promise kept"])])


def main() -> int:
    """Run from the command line; exit status 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chaos-") as directory:
        outcome = run(Path(directory), faults=arguments.faults, seed=arguments.seed)
    print(summary(outcome))
    return 1 if outcome.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
