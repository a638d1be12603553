"""On what was measured, and how busy it was meanwhile: without that no figure of speed means anything."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Host:
    """The computer.

    Attributes:
        cpu: Model of the processor.
        architecture: As `uname -m` says it.
        cores: Logical processors that this process may use.
        python: Version of Python.
    """

    cpu: str
    architecture: str
    cores: int
    python: str


def host() -> Host:
    """This computer."""
    return Host(_cpu(), platform.machine(), len(os.sched_getaffinity(0)), platform.python_version())


def load() -> float:
    """Processes that ran or waited for a processor, mean of the last minute."""
    return round(os.getloadavg()[0], 2)


def stay_on_one_core() -> None:
    """Keep this process and those that it starts on one logical processor: figures are for one core."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for key in ("model name", "Model"):  # Arm boards name the board
        for line in lines:
            name, _, value = line.partition(":")
            if name.strip() == key and value.strip():
                return value.strip()
    return platform.processor() or "unknown"
