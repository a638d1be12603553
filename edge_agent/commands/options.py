"""Arguments that several commands share, and what they stand for."""

import argparse
import math
import os
from collections.abc import Callable
from pathlib import Path

from edge_agent.agent.profiles import ProfileStore
from edge_agent.capture.replay import ChannelChoice
from edge_agent.config.agent import AgentSection
from edge_agent.config.model import ModelSection
from edge_agent.inference.bundle import Bundle, load_bundle

PATH_HELP = "WAV or FLAC file, .npz of log-mel clips, directory, glob or @list.txt"


def positive(text: str) -> float:
    """An argument that is a number above 0."""
    value = float(text)
    if not 0.0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text}")
    return value


def at_least(lowest: int) -> Callable[[str], int]:
    """An argument that is a whole number from `lowest` up."""

    def whole_number(text: str) -> int:
        value = int(text)
        if value < lowest:
            raise argparse.ArgumentTypeError(f"must be {lowest} or more, not {text}")
        return value

    return whole_number


def add_state_dir(parser: argparse.ArgumentParser) -> None:
    """`--state-dir`."""
    parser.add_argument(
        "--state-dir",
        type=Path,
        metavar="DIR",
        help="the agent's data (default: $STATE_DIRECTORY, else $XDG_STATE_HOME/edge-agent)",
    )


def add_bundle(parser: argparse.ArgumentParser) -> None:
    """`--bundle`."""
    parser.add_argument("--bundle", metavar="DIR", help="bundle to use instead of the active one")


def add_channel(parser: argparse.ArgumentParser) -> None:
    """`--channel`."""
    parser.add_argument(
        "--channel", type=at_least(0), metavar="N", help="channel to hear in recordings of several channels, from 0"
    )


def state_dir(arguments: argparse.Namespace) -> Path:
    """The state directory that was asked for, or the default one."""
    return AgentSection(state_dir=arguments.state_dir).resolve_state_dir(os.environ)


def profile_store(arguments: argparse.Namespace) -> ProfileStore:
    """The profiles of the state directory."""
    return ProfileStore(state_dir(arguments))


def open_bundle(arguments: argparse.Namespace) -> Bundle:
    """The bundle that was asked for, verified; a directory may be given without a slash."""
    if arguments.bundle is None:
        return load_bundle(ModelSection().resolve_bundle(state_dir(arguments)))
    return load_bundle(Path(arguments.bundle))


def channel_choice(arguments: argparse.Namespace) -> ChannelChoice:
    """Which channel of a file is heard."""
    return None if arguments.channel is None else (arguments.channel,)
