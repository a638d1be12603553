"""`edge-agent demo`."""

import argparse
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from edge_agent.commands import options
from edge_agent.config.agent import AgentSection
from edge_agent.config.model import ModelSection
from edge_agent.demo.plant import Plant
from edge_agent.demo.show import Show, verdict
from edge_agent.demo.view import PlainView, View
from edge_agent.errors import CommandError
from edge_agent.inference.bundle import load_bundle
from edge_agent.resources import resource

_LEAST_S, _MOST_S = 5.0, 3600.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--seconds", type=float, default=40.0, metavar="N", help="how long it listens to the pump (default: 40)"
    )
    parser.add_argument("--plain", action="store_true", help="lines instead of a live table")
    options.add_bundle(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show a simulated pump fail; 1 if no alarm was raised for it, or a false one was."""
    if not _LEAST_S <= arguments.seconds <= _MOST_S:
        raise CommandError(f"--seconds {arguments.seconds:g} must be {_LEAST_S:g} to {_MOST_S:g}")
    bundle_dir = (
        ModelSection().resolve_bundle(AgentSection().resolve_state_dir(os.environ))
        if arguments.bundle is None
        else Path(arguments.bundle)
    )
    plant = Plant()
    with _ended_in_order():
        show = Show(plant, load_bundle(bundle_dir), arguments.seconds, _view(arguments, plant))
        show.run()
    succeeded, sentence = verdict(show.story, plant)
    print(f"\n{sentence}")
    if succeeded:
        print(_next_steps())
    return 0 if succeeded else 1


def _view(arguments: argparse.Namespace, plant: Plant) -> View:
    if arguments.plain or not sys.stdout.isatty():
        return PlainView()
    try:
        from edge_agent.demo.screen import Screen  # noqa: PLC0415  rich is an extra
    except ModuleNotFoundError:
        print("edge-agent: no rich here, so lines instead of a table; pip install 'edge-agent[demo]'", file=sys.stderr)
        return PlainView()
    speed = plant.sound_s / arguments.seconds
    begins = f"{plant.healthy_s // 60}:{plant.healthy_s % 60:02d}"
    return Screen(f"{plant.machine_id}, a simulated pump at {speed:.0f} x real time: {plant.fault} begins at {begins}")


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the demo as Ctrl-C does, and let none of them disturb the cleaning up."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = [signal.signal(number, interrupt) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _next_steps() -> str:
    program = _program()
    config = resource("config/agent.toml")
    shown = _short(config) if config.exists() else "agent.toml"
    state_dir = AgentSection().resolve_state_dir(os.environ)
    return f"""
Next, your own machine. Give ten minutes or more of its normal sound (WAV, FLAC, directories), then anything else:
  {program} commission --machine my_pump --type pump --from RECORDINGS_OF_NORMAL
  {program} replay --machine my_pump OTHER_RECORDINGS
Then live: name your microphone ({program} devices) and your broker in {shown}, and
  {program} check --config {shown}
  {program} run --config {shown}
What was learnt is kept in {state_dir / "profiles"}. The demo itself has left nothing behind."""


def _program() -> str:
    """The program as a shell finds it from here."""
    started = Path(sys.argv[0])
    if started.name == "__main__.py":
        return f"{_short(Path(sys.executable))} -m edge_agent"
    return started.name if shutil.which(started.name) else _short(started.absolute())


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
