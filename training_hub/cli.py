"""`training-hub`: the hub's command line."""

import argparse
import sys
from collections.abc import Sequence

import edge_agent
from edge_agent.inference.errors import BundleError
from edge_agent.settings.problems import ConfigError
from edge_agent.settings.secret import SecretFileError
from edge_agent.sync.errors import SyncError
from training_hub.commands import discover
from training_hub.errors import HubError
from training_hub.training.errors import TrainingError

EXIT_FAILED = 1
EXIT_CONFIG = 78


def build_parser() -> argparse.ArgumentParser:
    """The parser with every command found."""
    parser = argparse.ArgumentParser(prog="training-hub", description="Trains, evaluates and rolls out models.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {edge_agent.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in discover():
        subparser = commands.add_parser(command.NAME, help=command.HELP, description=command.HELP)
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0, or 1 with a message on standard error, 78 for bad settings; usage errors exit with 2.
    """
    arguments = build_parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("edge_agent", "training_hub"):
            raise
        print(f"training-hub: {error.name} is not installed; pip install 'edge-agent[train,hub]'", file=sys.stderr)
        return EXIT_FAILED
    except (HubError, TrainingError, BundleError, SecretFileError, SyncError) as error:
        print(f"training-hub: {error}", file=sys.stderr)
        return EXIT_FAILED
    except ConfigError as error:
        print(error, file=sys.stderr)
        return EXIT_CONFIG
    except KeyboardInterrupt:
        return 128 + 2
    return status


if __name__ == "__main__":
    sys.exit(main())
