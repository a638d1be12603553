"""The computer: disk, memory, clock, sound devices, port, service."""

import grp
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from edge_agent.capture.clock import system_clock_is_synced
from edge_agent.config.http import HttpSection
from edge_agent.config.settings import AgentSettings
from edge_agent.doctor.finding import Finding, fail, ok, warn

MIB = 1024 * 1024
SLOW_SYNC_S = 0.5
_PROBE_S = 3.0
_FIRST_PLAUSIBLE_S = 1_767_225_600  # 2026-01-01: before it the clock was never set


def examine_disk(state_dir: Path, outbox_bytes: int) -> Iterator[Finding]:
    """Whether the state directory can be written, how long a write takes to be safe, and whether the outbox fits."""
    directory = next(parent for parent in (state_dir, *state_dir.parents) if parent.is_dir())
    probe = directory / f".edge-agent-doctor-{os.getpid()}"
    try:
        started_s = time.monotonic()
        descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, b"\0" * 4096)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
            probe.unlink()
        took_s = time.monotonic() - started_s
    except OSError as error:
        yield fail(
            "disk", f"{directory} cannot be written: {error.strerror}", "run it as the agent's user, or mend its rights"
        )
        return
    if took_s > SLOW_SYNC_S:
        yield warn("disk", f"a write to {directory} is safe after {took_s:.2f} s", "a worn SD card? use an SSD")
    else:
        yield ok("disk", f"{directory} can be written, safe after {took_s * 1000:.1f} ms")
    free = shutil.disk_usage(directory).free
    if free < 100 * MIB:
        yield fail(
            "disk", f"{free // MIB} MB free in {directory}", "make room; at the end results are dropped, alarms last"
        )
    elif free < outbox_bytes:
        yield warn(
            "disk",
            f"{free // MIB} MB free, mqtt.outbox.max_bytes allows {outbox_bytes // MIB} MB",
            "make room, or lower mqtt.outbox.max_bytes",
        )
    else:
        yield ok("disk", f"{free // MIB} MB free")


def examine_memory(settings: AgentSettings, meminfo: str) -> Finding:
    """Whether the agent fits; `meminfo` is the text of /proc/meminfo.

    >>> examine_memory(AgentSettings(), "MemAvailable: 900000 kB").summary
    '878 MB available, 120 MB needed'
    """
    channels = sum(len(source.channel) for source in settings.source)
    needed = 120 + 5 * channels
    line = next((line for line in meminfo.splitlines() if line.startswith("MemAvailable:")), None)
    if line is None:
        return warn("memory", "/proc/meminfo does not say what is available", "look at free -m")
    available = int(line.split()[1]) // 1024
    summary = f"{available} MB available, {needed} MB needed"
    if available < needed:
        return warn("memory", summary, "stop what else runs here, or listen to fewer channels")
    return ok("memory", summary)


def examine_clock(*, now_s: float, synced: bool | None = None) -> Finding:
    """Whether stamps can be trusted; scores do not depend on it."""
    if now_s < _FIRST_PLAUSIBLE_S:
        return warn("clock", f"the clock says {time.strftime('%Y-%m-%d', time.gmtime(now_s))}", "set it: timedatectl")
    if not (system_clock_is_synced() if synced is None else synced):
        return warn(
            "clock",
            "not synchronised: events say so (clock_synced = false)",
            "start a time service: timedatectl set-ntp true; with chrony see docs/service.md",
        )
    return ok("clock", "synchronised")


def examine_permissions(settings: AgentSettings, devices: Path = Path("/dev/snd")) -> Iterator[Finding]:
    """Whether this user may open sound devices, where microphones are configured."""
    if not any(source.kind == "microphone" for source in settings.source):
        yield ok("permissions", "no microphone is configured")
        return
    if not devices.is_dir():
        yield warn("permissions", f"{devices} is absent: the kernel knows no sound card", "plug one in; lsusb, dmesg")
        return
    closed = [path for path in sorted(devices.glob("pcm*c")) if not os.access(path, os.R_OK | os.W_OK)]
    if closed:
        yield fail(
            "permissions",
            f"{closed[0]} and {len(closed) - 1} more cannot be opened by user {os.getuid()}",
            "add the user to the group audio: usermod -aG audio USER; the service is in it (SupplementaryGroups=)",
        )
        return
    try:
        grp.getgrnam("audio")
    except KeyError:
        yield warn("permissions", "there is no group audio, which the service asks for", "groupadd --system audio")
        return
    yield ok("permissions", "sound devices can be opened, the group audio is there")


def agent_answers(http: HttpSection) -> dict[str, object] | None:
    """What /healthz of an agent that runs says; None where none answers, or it wants a token."""
    if not http.enabled:
        return None
    host = f"[{http.host}]" if ":" in http.host else http.host
    try:
        with urllib.request.urlopen(f"http://{host}:{http.port}/healthz", timeout=_PROBE_S) as answer:
            body = answer.read(MIB)
    except urllib.error.HTTPError as error:
        body = error.read(MIB)
    except OSError:
        return None
    try:
        said = json.loads(body)
    except ValueError:
        return None
    return said if isinstance(said, dict) and "live" in said and "ready" in said else None


def examine_service(health: dict[str, object] | None) -> Iterator[Finding]:
    """The agent that runs here, and what systemd says of it."""
    if health is not None:
        state = str(health.get("state"))
        ready = health.get("ready")
        reasons = ready.get("reasons") if isinstance(ready, dict) else ()
        said = f"an agent runs here and is {state}"
        if state in ("up", "starting"):
            yield ok("service", said)
        else:
            yield warn(
                "service", f"{said}: {', '.join(map(str, reasons or ())) or 'see /healthz'}", "see the log and /healthz"
            )
    show = ["systemctl", "show", "edge-agent.service", "-p", "LoadState,ActiveState,NRestarts,StatusText,Result"]
    try:
        answer = subprocess.run(show, capture_output=True, text=True, timeout=_PROBE_S, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        yield ok("service", "systemd cannot be asked from here")
        return
    values = dict(line.split("=", 1) for line in answer.splitlines() if "=" in line)
    yield judge_unit(values)


def judge_unit(values: dict[str, str]) -> Finding:
    """What the properties of the unit say.

    >>> judge_unit({"LoadState": "loaded", "ActiveState": "failed", "Result": "exit-code"}).state.value
    'fail'
    """
    active, restarts = values.get("ActiveState", ""), values.get("NRestarts", "0")
    if values.get("LoadState") != "loaded":
        return ok("service", "edge-agent.service is not installed")
    if active == "failed":
        mend = "journalctl -u edge-agent -n 50; then systemctl reset-failed edge-agent && systemctl start edge-agent"
        return fail(
            "service", f"edge-agent.service failed ({values.get('Result', '')}) after {restarts} restarts", mend
        )
    if active in ("inactive", "deactivating"):
        return warn("service", "edge-agent.service is not running", "systemctl enable --now edge-agent")
    said = f"edge-agent.service is {active}, restarted {restarts} times: {values.get('StatusText', '')}"
    if "is bad" in values.get("StatusText", ""):
        return warn("service", said, "mend the configuration, then systemctl reload edge-agent")
    return ok("service", said) if restarts == "0" else warn("service", said, "journalctl -u edge-agent says why")
