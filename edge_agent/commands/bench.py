"""`edge-agent bench`."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from edge_agent.bench.energy import count_instructions
from edge_agent.bench.installed import installed
from edge_agent.bench.listening import channels_one_core_holds, measure_live
from edge_agent.bench.machine import host, load, stay_on_one_core
from edge_agent.bench.replaying import measure_replay
from edge_agent.bench.report import Report
from edge_agent.bench.running import AgentDidNotStartError, measure_run
from edge_agent.bench.sound import MACHINE, Ground, prepare
from edge_agent.commands import options
from edge_agent.errors import CommandError
from edge_agent.inference.bundle import Bundle

CHANNELS = (1, 16, 64)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument(
        "--clips", type=options.at_least(8), default=12, metavar="N", help="simulated clips of 10 s (default: 12)"
    )
    parser.add_argument(
        "--repeats", type=options.at_least(1), default=5, metavar="N", help="repeats of each measurement (default: 5)"
    )
    parser.add_argument("--no-run", action="store_true", help="do not start the agent itself: no time and memory of it")
    options.add_bundle(parser)
    options.add_state_dir(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure and print; figures are for one core, and of processor time where nothing else is said."""
    began_s, before = time.monotonic(), load()
    computer = host()
    stay_on_one_core()
    bundle = options.open_bundle(arguments)
    with tempfile.TemporaryDirectory(prefix="edge-agent-bench-") as name:
        root = Path(name)
        _say("simulating sound")
        ground = prepare(root / "clips", arguments.clips, str(bundle.root))
        _say("replay, kernels and stages in turn")
        replay = measure_replay(ground, arguments.repeats)
        _say("live channels")
        live = measure_live(ground, bundle, CHANNELS)
        figures = None
        if not arguments.no_run:
            _say("the agent itself")
            try:
                figures = measure_run(root / "run", bundle.root, repeats=2, windows=30)
            except AgentDidNotStartError as error:
                raise CommandError(f"{error}; run `edge-agent doctor`, or leave it out with --no-run") from error
        instructions = count_instructions(_replay_command(ground, bundle))
        report = Report(
            host=computer,
            load_before=before,
            load_after=load(),
            bundle=f"{bundle.manifest.name} {bundle.manifest.version}",
            sound_s=ground.sound_s,
            replay=replay,
            live=live,
            channels_per_core=channels_one_core_holds(live),
            run=figures,
            installed=installed(),
            instructions=instructions,
            seconds=round(time.monotonic() - began_s, 1),
        )
    print(report.to_json() if arguments.json else report.table())
    return 0


def _replay_command(ground: Ground, bundle: Bundle) -> list[str]:
    words = ["replay", "--json", "--machine", MACHINE, "--state-dir", str(ground.state_dir)]
    return [sys.executable, "-m", "edge_agent", *words, "--bundle", str(bundle.root), *map(str, ground.clips)]


def _say(what: str) -> None:
    if sys.stderr.isatty():
        print(f"measuring: {what}", file=sys.stderr)
