"""The command line: finds the command, turns expected errors into one line and an exit status."""

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext

import edge_agent
from edge_agent.lasting import lasting

COMMANDS = {
    "run": "listen, score and publish until stopped",
    "check": "check the configuration and all that it points to",
    "devices": "list the inputs of this machine",
    "replay": "score recordings through the path of live sources",
    "commission": "learn a machine's normal sound",
    "profiles": "list, show and remove what commissioning learnt",
    "alarms": "list alarms and act on them",
    "models": "show and verify bundles",
    "clips": "list, show, label, pin, export, delete and verify kept sound",
    "sync": "send clips and events to the hub, over the network or on a USB stick",
    "bench": "measure speed, memory and size on this machine",
    "doctor": "check everything that the service needs and say what to do",
    "install-service": "make the agent a service of systemd",
    "demo": "watch a simulated pump fail",
}

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_CONFIG = 78
"""sysexits.h EX_CONFIG: systemd does not restart a service that ends with it (RestartPreventExitStatus)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0, 1 (failed), 2 (usage) or 78 (bad configuration).
    """
    words = list(sys.argv[1:] if argv is None else argv)
    named = next((word for word in words if not word.startswith("-")), None)
    with lasting() if argv is None else nullcontext():
        parser = _parser(named)
    arguments = parser.parse_args(words)
    run: Callable[[argparse.Namespace], int] | None = getattr(arguments, "run", None)
    if run is None:
        parser.print_help(sys.stderr)
        return EXIT_USAGE
    try:
        return run(arguments)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader went away (`| head`): not our failure. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except _expected_errors() as error:
        return _report(error)


def command_module(name: str) -> str:
    """The module of a command: a name on the command line has hyphens where the module has underscores.

    >>> command_module("install-service")
    'edge_agent.commands.install_service'
    """
    return f"edge_agent.commands.{name.replace('-', '_')}"


def _parser(named: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="edge-agent", description="Hears that a machine is failing.")
    parser.add_argument("--version", action="version", version=f"edge-agent {edge_agent.__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, summary in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name == named:
            module = importlib.import_module(command_module(name))
            module.configure(subparser)
            subparser.set_defaults(run=module.run)
    return parser


def _expected_errors() -> tuple[type[Exception], ...]:
    """The errors that name a thing and its mend; any other is a defect and keeps its traceback."""
    from edge_agent.capture.source import SourceError  # noqa: PLC0415  imported only once something went wrong
    from edge_agent.clips.errors import ClipError  # noqa: PLC0415
    from edge_agent.commissioning.errors import ListenError  # noqa: PLC0415
    from edge_agent.delivery.errors import DeliveryError  # noqa: PLC0415
    from edge_agent.detection.errors import DetectionError  # noqa: PLC0415
    from edge_agent.errors import CommandError  # noqa: PLC0415
    from edge_agent.inference.errors import BundleError  # noqa: PLC0415
    from edge_agent.observe.errors import ObserveError  # noqa: PLC0415
    from edge_agent.settings.problems import ConfigError  # noqa: PLC0415
    from edge_agent.settings.secret import SecretFileError  # noqa: PLC0415
    from edge_agent.signal.settings import SignalError  # noqa: PLC0415
    from edge_agent.speech.errors import SpeechError  # noqa: PLC0415
    from edge_agent.sync.errors import SyncError  # noqa: PLC0415

    return (
        SourceError, ConfigError, SecretFileError, DeliveryError, DetectionError, CommandError, BundleError,
        ListenError, ObserveError, SignalError, SpeechError, ClipError, SyncError, OSError,
    )  # fmt: skip


def _report(error: Exception) -> int:
    from edge_agent.settings.problems import ConfigError  # noqa: PLC0415
    from edge_agent.settings.secret import SecretFileError  # noqa: PLC0415

    if isinstance(error, SecretFileError):
        print(f"edge-agent: {error}", file=sys.stderr)
        return EXIT_CONFIG
    if isinstance(error, ConfigError):
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return EXIT_CONFIG
    text = str(error)
    if type(error).__module__ == "builtins" and isinstance(error, OSError) and error.filename:
        text = f"{error.filename}: {error.strerror}; check the path, its rights and the disk"
    print(f"edge-agent: {text}", file=sys.stderr)
    return EXIT_FAILED
