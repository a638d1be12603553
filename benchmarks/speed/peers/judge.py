"""What the figures say against the targets and against those that were kept."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path

LOSS = 0.15
"""More than this is a loss; paired medians of an undisturbed machine repeat within 5 %."""

LEAST_LEAD = 10.0
MOST_OVER_KERNELS = 1.3


@dataclass(frozen=True)
class Figures:
    """Of one run of the driver.

    Attributes:
        cpu: Model of the processor.
        load: How busy the machine was, before and after.
        window_ms: Processor time of each contestant for ten seconds of sound, median.
        load_s: What each took to import, load and run once, processor time.
        ratios: Of each to ours, medians of pairs taken right after each other; `kernels` below 1.
        rounds: How many pairs.
    """

    cpu: str
    load: tuple[float, float]
    window_ms: dict[str, float]
    load_s: dict[str, float]
    ratios: dict[str, float]
    rounds: int

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def read(cls, path: Path) -> Figures:
        document = json.loads(path.read_text(encoding="utf-8"))
        document["load"] = tuple(document["load"])
        return cls(**document)


def ratios_to(ours: str, rounds: list[dict[str, float]]) -> dict[str, float]:
    """Median over the rounds of each contestant's time over ours.

    >>> ratios_to("a", [{"a": 1.0, "b": 3.0}, {"a": 2.0, "b": 8.0}, {"a": 1.0, "b": 9.0}])
    {'b': 4.0}
    """
    names = [name for name in rounds[0] if name != ours]
    return {name: round(statistics.median(each[name] / each[ours] for each in rounds), 3) for name in names}


def losses(now: dict[str, float], kept: dict[str, float]) -> list[str]:
    """Every ratio that fell by more than `LOSS`: the others' time over ours, and the kernels' over ours.

    >>> losses({"kernels": 0.6, "x": 40.0}, {"kernels": 0.65, "x": 60.0})
    ['x: 40 times as long as ours, was 60']
    """
    return [
        f"{name}: {now[name]:.3g} times as long as ours, was {before:.3g}"
        for name, before in kept.items()
        if name in now and now[name] < (1.0 - LOSS) * before
    ]
