"""What processes cost: computing time to the nanosecond, wake-ups, and memory without what is shared counted twice."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edge_agent.bench.running import processor_s


@dataclass(frozen=True)
class Cost:
    """Sums over processes since each began; `pss_mb` is of the moment."""

    at_s: float
    cpu_s: float
    switches: int
    pss_mb: float


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):
            for child in (task / "children").read_text(encoding="ascii").split():
                found += family(int(child))
    return found


def cost(pid: int) -> Cost:
    """What a process and its descendants have cost until now."""
    pids = family(pid)
    return Cost(
        at_s=time.monotonic(),
        cpu_s=sum(map(processor_s, pids)),
        switches=sum(_switches(each) for each in pids),
        pss_mb=sum(_pss_kb(each) for each in pids) / 1024,
    )


def threads(pid: int) -> dict[str, tuple[float, int]]:
    """CPU seconds and voluntary switches of each thread of a process and its descendants."""
    found = {}
    for each in family(pid):
        for task in Path(f"/proc/{each}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):  # a thread that ended since, as those that answer do
                name = (task / "comm").read_text(encoding="utf-8").strip()
                run_ns = int((task / "schedstat").read_text(encoding="ascii").split()[0])
                found[f"{name} {task.name}"] = (run_ns / 1e9, _switches_of(task))
    return found


def _switches(pid: int) -> int:
    found = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):
            found += _switches_of(task)
    return found


def _switches_of(task: Path) -> int:
    found = re.search(
        r"^voluntary_ctxt_switches:\s+(\d+)$", (task / "status").read_text(encoding="utf-8"), re.MULTILINE
    )
    return int(found[1]) if found else 0


def _pss_kb(pid: int) -> int:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    found = re.search(r"^Pss:\s+(\d+) kB$", rollup, re.MULTILINE)
    assert found is not None, rollup
    return int(found[1])
