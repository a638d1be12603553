"""`edge-agent commission`."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_agent.agent.hearing.offline import OfflineAnalyser
from edge_agent.agent.progress import Progress
from edge_agent.capture.files import expand
from edge_agent.commands import options
from edge_agent.commands.commission_live import commission_live
from edge_agent.commands.profile_page import describe
from edge_agent.commissioning.lesson import Lesson
from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.features import STATE_NAME, Recording, WindowFeatures
from edge_agent.errors import CommandError
from edge_agent.pipeline.window import WindowShape
from edge_agent.signal.level import LevelReading


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--machine", required=True, metavar="ID", help="the machine to learn")
    parser.add_argument(
        "--type",
        metavar="TYPE",
        help="kind of machine: fan, pump, valve, ... (default: the configuration's, or generic)",
    )
    sound = parser.add_mutually_exclusive_group(required=True)
    add_sounds(parser, sound)
    sound.add_argument(
        "--minutes",
        type=options.positive,
        metavar="N",
        help="listen to the machine's configured channel for so long instead; an agent that runs goes on listening",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="the agent's TOML file, with --minutes")
    parser.add_argument(
        "--false-alarms-per-week",
        type=options.positive,
        metavar="N",
        help="accepted false alarms (default: the configuration's, or 1)",
    )
    parser.add_argument(
        "--states",
        type=options.at_least(1),
        default=1,
        metavar="N",
        help="operating states to look for where none is named (default: 1)",
    )
    parser.add_argument(
        "--keep-normals",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="keep the sound's spectrograms (2 MB for ten minutes), so that more can be added later (default: yes)",
    )
    options.add_channel(parser)
    options.add_bundle(parser)
    options.add_state_dir(parser)


def run(arguments: argparse.Namespace) -> int:
    """Learn the machine, print what was learnt, and keep the profile."""
    if arguments.minutes is not None:
        return commission_live(arguments)
    if arguments.config is not None:
        raise CommandError("--config goes with --minutes: recordings are learnt without a configuration")
    store = options.profile_store(arguments)
    store.path(arguments.machine)  # a bad id is refused before the work, not after it
    bundle = options.open_bundle(arguments)
    analyser = OfflineAnalyser(bundle, WindowShape(), channels=options.channel_choice(arguments))
    lesson = Lesson(
        machine_id=arguments.machine,
        machine_type=arguments.type or "generic",
        bundle=bundle,
        budget=AlarmBudget(false_alarms_per_week=arguments.false_alarms_per_week or 1.0),
        max_states=arguments.states,
    )
    recordings = gather(analyser, arguments.sounds)
    if lesson.prior.name != lesson.machine_type:
        print(f"the bundle knows no type {lesson.machine_type!r}: using {lesson.prior.name!r}", file=sys.stderr)
    learnt = lesson.learn(recordings)
    normals = lesson.normals([recordings[i] for i in learnt.kept]) if arguments.keep_normals else None
    path = store.save(learnt.profile, normals)
    for line in describe(learnt.profile):
        print(line)
    print(f"kept in {path}", file=sys.stderr)
    return 0


@dataclass(frozen=True, slots=True)
class Sounds:
    """Paths whose sound shows one operating state; `state` is None where nobody named it."""

    state: str | None
    paths: tuple[str, ...]


def add_sounds(parser: argparse.ArgumentParser, group: argparse._MutuallyExclusiveGroup | None = None) -> None:
    """`--from PATH...`, and `--state NAME` for those that follow it, any number of times; in `group`, or required."""
    parser.add_argument(
        "--state", action=_StateAction, metavar="NAME", help="operating state of the --from that follow"
    )
    (parser if group is None else group).add_argument(
        "--from",
        dest="sounds",
        nargs="+",
        action=_FromAction,
        required=group is None,
        default=[],
        metavar="PATH",
        help=f"its normal sound: {options.PATH_HELP}",
    )


class _StateAction(argparse.Action):
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        if not STATE_NAME.fullmatch(str(values)):
            parser.error(f"argument --state: {values!r}: 1-64 of A-Z a-z 0-9 _ . -, a letter or digit first")
        namespace.state = values


class _FromAction(argparse.Action):
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        paths = (values,) if isinstance(values, str) else tuple(str(value) for value in values or ())
        namespace.sounds = [*namespace.sounds, Sounds(namespace.state, paths)]


def gather(analyser: OfflineAnalyser, sounds: Iterable[Sounds]) -> list[Recording]:
    """The scorable windows of every recording, in order; one without any is left out, with a word.

    Raises:
        InputError: A file cannot be used.
    """
    recordings: list[Recording] = []
    files = [(part.state, path) for part in sounds for path in expand(part.paths)]
    with Progress("listening", len(files)) as progress:
        for state, path in files:
            parts: dict[str, list[tuple[WindowFeatures, LevelReading | None, float]]] = {}
            for item in analyser.recording(path):
                own = parts.setdefault(item.name, [])
                if item.rejected is None:
                    own.append((item.window.features, item.window.level, item.window.start_s))
            for name, windows in parts.items():
                if windows:
                    features, levels, starts_s = zip(*windows, strict=True)
                    recordings.append(Recording(name, features, levels, starts_s, state))
                else:
                    print(f"{name}: too short to learn from, left out", file=sys.stderr)
            progress.advance()
    return recordings
