"""The arguments by which the hub's commands find its settings."""

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from training_hub.config.settings import HubSettings

Actions: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

CONFIG_VARIABLE = "TRAINING_HUB_CONFIG"


def add_settings_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `--config` and `--state-dir`."""
    named = os.environ.get(CONFIG_VARIABLE)
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        default=Path(named) if named else None,
        help=f"the hub's TOML file (default: ${CONFIG_VARIABLE}; none: defaults and environment)",
    )
    parser.add_argument("--state-dir", type=Path, metavar="DIR", help="in place of server.state_dir")


def add_action(actions: Actions, name: str, text: str, *arguments: tuple[str, str]) -> argparse.ArgumentParser:
    """Declare an action of a command, with its arguments (name and help) and those of the settings."""
    parser = actions.add_parser(name, help=text, description=text)
    for argument, help_ in arguments:
        parser.add_argument(argument, metavar=argument.upper(), help=help_)
    add_settings_arguments(parser)
    return parser


def settings_of(arguments: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> "HubSettings":
    """The settings, with the state directory found.

    Raises:
        ConfigError: With every problem found.
    """
    from edge_agent.settings.load import load  # noqa: PLC0415  # quick --help
    from training_hub.config.settings import HubSettings  # noqa: PLC0415

    settings = load(HubSettings, arguments.config, environ)
    state_dir: Path | None = arguments.state_dir
    if state_dir is None and "state_dir" not in settings.server.model_fields_set:
        state_dir = _default_state_dir(environ)
    if state_dir is None:
        return settings
    server = settings.server.model_copy(update={"state_dir": state_dir})
    return settings.model_copy(update={"server": server})


def _default_state_dir(environ: Mapping[str, str]) -> Path:
    if given := environ.get("STATE_DIRECTORY"):
        return Path(given.partition(":")[0])
    base = environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "training-hub"
