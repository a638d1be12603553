"""The support bundle: what a person elsewhere needs to understand this gateway; no secret and no sound."""

import importlib.metadata
import io
import json
import os
import platform
import re
import subprocess
import tarfile
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path

import edge_agent
from edge_agent.config.http import HttpSection
from edge_agent.doctor.examine import Examination
from edge_agent.doctor.page import as_json, as_text
from edge_agent.doctor.secrets import known_secrets

MAX_TEXT_BYTES = 4 * 1024 * 1024
REDACTED = "[redacted]"
_LOG_LINES = 2000
_TIMEOUT_S = 10.0
_LOGIN_IN_ADDRESS = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_BEARER = re.compile(r"(?i)(bearer\s+|password\s*[=:]\s*|token\s*[=:]\s*)[^\s,;]+")


def write_support_bundle(path: Path, examination: Examination, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Write a .tar.gz that only its owner can read.

    Args:
        path: Where; an existing file is not overwritten.
        examination: What was found.
        environ: The environment, to know the secrets that must not be in it.

    Returns:
        Names of the files in it.

    Raises:
        OSError: It cannot be written.
    """
    settings = examination.settings
    secrets = () if settings is None else known_secrets(settings, environ)
    texts = {
        "doctor.txt": as_text(examination.findings),
        "doctor.json": as_json(examination.findings),
        "versions.txt": _versions(),
        "system.txt": _system(),
        "log.txt": _output("journalctl", "-u", "edge-agent", "-n", str(_LOG_LINES), "-o", "short-iso", "--no-pager"),
        "unit.txt": _output("systemctl", "cat", "edge-agent.service"),
        "service.txt": _output("systemctl", "status", "edge-agent.service", "--no-pager", "-n", "0"),
    }
    if settings is not None:
        # the settings as understood, not the file: what stands in a comment or a wrong key may be a secret
        texts["settings.json"] = json.dumps(settings.model_dump(mode="json"), indent=2)
    if examination.health is not None and settings is not None:
        texts["health.json"] = json.dumps(examination.health, indent=2)
        texts["metrics.txt"] = _metrics(settings.http)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, text in texts.items():
            data = redact(text, secrets).encode()[-MAX_TEXT_BYTES:]
            entry = tarfile.TarInfo(f"edge-agent-support/{name}")
            entry.size = len(data)
            entry.mode = 0o600
            archive.addfile(entry, io.BytesIO(data))
    return tuple(texts)


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text without the secrets, and without what looks like one.

    >>> redact("mqtt://joe:s3cret@host, Authorization: Bearer abc, hunter2 again", ["hunter2"])
    'mqtt://[redacted]@host, Authorization: Bearer [redacted], [redacted] again'
    """
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, REDACTED)
    return _BEARER.sub(rf"\g<1>{REDACTED}", _LOGIN_IN_ADDRESS.sub(REDACTED, text))


def _versions() -> str:
    installed = sorted({f"{each.name} {each.version}" for each in importlib.metadata.distributions()})
    return "\n".join([f"edge-agent {edge_agent.__version__}", f"python {platform.python_version()}", *installed])


def _system() -> str:
    files = (
        "/etc/os-release",
        "/proc/asound/cards",
        "/proc/asound/pcm",
        "/proc/meminfo",
        "/proc/loadavg",
        "/proc/uptime",
    )
    parts = [f"$ uname\n{platform.platform()} {platform.machine()}, {os.cpu_count()} CPUs"]
    for name in files:
        try:
            parts.append(f"$ {name}\n{Path(name).read_text(errors='replace')}")
        except OSError as error:
            parts.append(f"$ {name}\n{error.strerror}")
    return "\n".join([*parts, "$ df", _output("df", "-h"), "$ timedatectl", _output("timedatectl")])


def _output(*command: str) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"{command[0]}: {error}"
    return done.stdout + done.stderr


def _metrics(http: HttpSection) -> str:
    host = f"[{http.host}]" if ":" in http.host else http.host
    try:
        with urllib.request.urlopen(f"http://{host}:{http.port}/metrics", timeout=_TIMEOUT_S) as answer:
            return str(answer.read(MAX_TEXT_BYTES).decode(errors="replace"))
    except OSError as error:
        return f"/metrics: {error}"
