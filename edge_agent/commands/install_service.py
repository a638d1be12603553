"""`edge-agent install-service`."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from edge_agent.errors import CommandError
from edge_agent.resources import resource
from edge_agent.service_unit import ServicePlan, plan_service

_DEPLOY = resource("deploy/systemd/edge-agent.service")
_EXAMPLE = resource("config/agent.toml")
_HIDDEN = ("/home", "/root", "/run/user")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--root", type=Path, default=Path("/"), metavar="DIR", help="put the files below DIR, for an image (default: /)"
    )
    parser.add_argument("--dry-run", action="store_true", help="show what would be written, and write nothing")
    parser.add_argument("--enable", action="store_true", help="start the service now and at every boot")


def run(arguments: argparse.Namespace) -> int:
    """Write the unit and, where there is none, the configuration; an existing configuration is never touched."""
    plan = plan_service(_unit(), _EXAMPLE.read_text(), program=_program(), root=arguments.root)
    if arguments.dry_run:
        for path, text in plan.files.items():
            print(f"# {path}{' (kept: it is there)' if path in plan.kept and path.exists() else ''}\n{text}")
        return 0
    _write(plan)
    if arguments.root != Path("/"):
        return 0
    _systemctl("daemon-reload")
    if arguments.enable:
        _systemctl("enable", "--now", "edge-agent.service")
    else:
        print("start it with: systemctl enable --now edge-agent", file=sys.stderr)
    return 0


def _unit() -> str:
    try:
        return _DEPLOY.read_text()
    except FileNotFoundError:
        raise CommandError(
            f"{_DEPLOY} is absent: the Debian package has put its own unit into place already; use systemctl"
        ) from None


def _program() -> Path:
    """The command that the service runs: the one beside this Python."""
    program = Path(sys.executable).parent / "edge-agent"
    if not os.access(program, os.X_OK):
        raise CommandError(f"{program} is absent; install the agent into the environment of {sys.executable}")
    for path in (program, Path(sys.executable)):
        hidden = next((top for top in _HIDDEN if path.resolve().is_relative_to(top)), None)
        if hidden is not None:
            raise CommandError(
                f"{path.resolve()} lies in {hidden}, which the service cannot see (ProtectHome=yes); install the agent "
                "with the system's Python elsewhere, for example into /opt/edge-agent"
            )
    return program


def _write(plan: ServicePlan) -> None:
    for path, text in plan.files.items():
        if path in plan.kept and path.exists():
            print(f"kept {path}", file=sys.stderr)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o644)
        print(f"wrote {path}", file=sys.stderr)


def _systemctl(*words: str) -> None:
    try:
        subprocess.run(["systemctl", *words], check=True)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        raise CommandError(f"systemctl {' '.join(words)} failed ({error}); is systemd running here?") from error
