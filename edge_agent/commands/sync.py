"""`edge-agent sync`."""

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path

from edge_agent.commands import options
from edge_agent.config.load import load_settings
from edge_agent.sync.extra import require


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    _add_common(parser)
    parser.add_argument(
        "--watch", action="store_true", help="go on until interrupted; the running agent does so itself"
    )
    parser.add_argument("--now", action="store_true", help="do not wait for the hours of hub.schedule")
    parser.set_defaults(act="send")
    actions = parser.add_subparsers(dest="action", metavar="ACTION")

    def action(name: str, summary: str) -> argparse.ArgumentParser:
        found = actions.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        _add_common(found, default=argparse.SUPPRESS)
        found.set_defaults(act=name)
        return found

    action("status", "what waits, what is not sent and why, whether the hub answers")
    action("retry", "try once more what the hub refused")
    export = action("export", "write clips and events on a USB stick, signed")
    export.add_argument("--to", type=Path, required=True, metavar="DIR", help="a directory of the stick")
    export.add_argument("--machine", metavar="ID", help="of this machine only; its events go all the same")
    export.add_argument("--since", type=_moment, default=0, metavar="DAY", help="since this day, 2026-01-31 (UTC)")
    export.add_argument(
        "--leave-free",
        type=options.at_least(0),
        default=16 << 20,
        metavar="BYTES",
        help="room to leave (default: 16 MiB)",
    )
    receipt = action("receipt", "take the hub's receipt from a stick: what it has counts as sent")
    receipt.add_argument("stick", type=Path, metavar="DIR", help="the export, or the directory that it lies in")
    action("key", "this gateway's public key, to make known at the hub: training-hub gateways set-export-key")


def run(arguments: argparse.Namespace) -> int:
    """Do the action."""
    settings = load_settings(arguments.config, os.environ)
    require(arguments.config, "hub.enabled" if settings.hub.enabled else "hub")
    from edge_agent.commands.sync_actions import ACTIONS  # noqa: PLC0415  # needs those packages

    return ACTIONS[arguments.act](settings, settings.agent.resolve_state_dir(os.environ), arguments)


def _add_common(parser: argparse.ArgumentParser, default: object = None) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", default=default, help="the agent's TOML file")
    parser.add_argument("--json", action="store_true", default=default or False, help="one JSON object per line")


def _moment(text: str) -> int:
    """A day as nanoseconds since 1970, UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a day like 2026-01-31, not {text}") from None
    return max(0, round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1e9))
