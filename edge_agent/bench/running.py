"""The agent as a process of its own: how soon it is ready and how much memory it keeps."""

import http.client
import os
import re
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PATIENCE_S = 60.0
_POLL_S = 0.02
_SCHEDULED = 2  # CPUCLOCK_SCHED of the kernel's posix-timers.h


class AgentDidNotStartError(Exception):
    """The agent was not ready in time, or ended; the message holds its last words."""


@dataclass(frozen=True)
class RunFigures:
    """Of `edge-agent run` with one simulated channel, page and metrics on, no broker.

    Attributes:
        import_s: Importing all that `run` imports, more than a bare Python takes; median.
        ready_s: From start until `/readyz` says so; median.
        ready_processor_s: Processor time until then; median.
        memory_mb: Proportional set size after some windows, the start being over (`daemon.settling`).
        resident_mb: Resident set size then: libraries that other processes use too are counted whole.
    """

    import_s: float
    ready_s: float
    ready_processor_s: float
    memory_mb: float
    resident_mb: float


def measure_run(root: Path, bundle: Path, repeats: int, windows: int) -> RunFigures:
    """Start the agent several times, and once for longer."""
    _import_s()  # compiles what was not yet
    imports = [_import_s() for _ in range(repeats)]
    ready = [_ready(root / f"ready_{index}", bundle) for index in range(repeats)]
    memory_mb, resident_mb = _memory_mb(root / "memory", bundle, windows)
    return RunFigures(
        import_s=round(statistics.median(imports), 3),
        ready_s=round(statistics.median(wall_s for wall_s, _ in ready), 3),
        ready_processor_s=round(statistics.median(cpu_s for _, cpu_s in ready), 3),
        memory_mb=memory_mb,
        resident_mb=resident_mb,
    )


def processor_s(pid: int) -> float:
    """Seconds of processor that a process has taken, with all of its threads, those that have ended too.

    The process's own clock (clock_getcpuclockid(3)): exact, where `/proc/PID/stat` counts ticks.
    """
    return time.clock_gettime((~pid << 3) | _SCHEDULED)


def _import_s() -> float:
    bare_s, full_s = (_python_s(code) for code in ("pass", "import edge_agent.commands.run, edge_agent.daemon"))
    return full_s - bare_s


def _environment() -> dict[str, str]:
    """As a service has it: an installed package is compiled; compiling it anew each time would be measured instead."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _python_s(code: str) -> float:
    began_s = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=_environment())
    return time.perf_counter() - began_s


def _ready(directory: Path, bundle: Path) -> tuple[float, float]:
    began_s = time.perf_counter()
    with _agent(directory, bundle, speed=1.0) as (agent, port):
        _wait(agent, directory, lambda: _get(port, "/readyz")[0] == 200)
        ready_s = time.perf_counter() - began_s
        ran_s = processor_s(agent.pid)
    return ready_s, ran_s


def _memory_mb(directory: Path, bundle: Path, windows: int) -> tuple[float, float]:
    with _agent(directory, bundle, speed=40.0) as (agent, port):
        _wait(agent, directory, lambda: _windows(port) >= windows)
        text = Path(f"/proc/{agent.pid}/smaps_rollup").read_text(encoding="ascii")
    sizes = dict(re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE))
    return round(int(sizes["Pss"]) / 1024, 1), round(int(sizes["Rss"]) / 1024, 1)


@contextmanager
def _agent(directory: Path, bundle: Path, *, speed: float) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    directory.mkdir(parents=True)
    port = _free_port()
    (directory / "agent.toml").write_text(
        f'[agent]\nstate_dir = "{directory}/state"\n[model]\nbundle = "{bundle}/"\n[http]\nport = {port}\n'
        f'[mqtt]\nport = {_free_port()}\n[[machine]]\nid = "fan_1"\ntype = "fan"\n'
        f'[[source]]\nid = "mic_1"\nkind = "simulated"\nspeed = {speed}\n[[source.channel]]\nmachine = "fan_1"\n',
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "edge_agent", "run", "--config", str(directory / "agent.toml")]
    with (directory / "log").open("wb") as log:
        agent = subprocess.Popen(command, stderr=log, env=_environment())
    try:
        yield agent, port
    finally:
        agent.terminate()
        agent.wait(_PATIENCE_S)


def _wait(agent: "subprocess.Popen[bytes]", directory: Path, condition: Callable[[], bool]) -> None:
    until_s = time.monotonic() + _PATIENCE_S
    while not condition():
        if agent.poll() is not None or time.monotonic() > until_s:
            said = (directory / "log").read_text(encoding="utf-8", errors="replace")[-1000:]
            raise AgentDidNotStartError(f"the agent is not ready after {_PATIENCE_S:.0f} s; it said:\n{said}")
        time.sleep(_POLL_S)


def _get(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    except OSError:
        return 0, ""
    finally:
        connection.close()


def _windows(port: int) -> float:
    found = re.findall(r"^edge_agent_windows_total\{.*\} (\S+)$", _get(port, "/metrics")[1], re.MULTILINE)
    return sum(map(float, found))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
