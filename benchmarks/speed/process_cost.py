"""What processes cost: computing time to the nanosecond, wake-ups, and memory without what is shared counted twice."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

_SCHEDULED = 2  # CPUCLOCK_SCHED of the kernel's posix-timers.h


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
        for child in (task / "children").read_text(encoding="ascii").split():
            found += family(int(child))
    return found


def cost(pid: int) -> Cost:
    """What a process and its descendants have cost until now."""
    pids = family(pid)
    return Cost(
        at_s=time.monotonic(),
        # the process's own clock (clock_getcpuclockid(3)): exact, where /proc/PID/stat counts ticks
        cpu_s=sum(time.clock_gettime(~each << 3 | _SCHEDULED) for each in pids),
        switches=sum(_switches(each) for each in pids),
        pss_mb=sum(_pss_kb(each) for each in pids) / 1024,
    )


def threads(pid: int) -> dict[str, tuple[float, int]]:
    """CPU seconds and voluntary switches of each thread of a process and its descendants."""
    found = {}
    for each in family(pid):
        for task in Path(f"/proc/{each}/task").iterdir():
            name = (task / "comm").read_text(encoding="utf-8").strip()
            run_ns = int((task / "schedstat").read_text(encoding="ascii").split()[0])
            found[f"{name} {task.name}"] = (run_ns / 1e9, _switches_of(task))
    return found


def _switches(pid: int) -> int:
    return sum(_switches_of(task) for task in Path(f"/proc/{pid}/task").iterdir())


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
