"""`edge-agent replay`."""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge_agent.agent.offline import OfflineAnalyser, OfflineWindow
from edge_agent.agent.profiles import ProfileStore
from edge_agent.agent.progress import Progress
from edge_agent.capture.clock import NS_PER_S
from edge_agent.capture.files import expand
from edge_agent.capture.source import SourceError
from edge_agent.commands import options
from edge_agent.config.agent import AgentSection
from edge_agent.delivery.events import make_event
from edge_agent.delivery.fields import rfc3339
from edge_agent.delivery.reporting import bundle_reference, result_data
from edge_agent.delivery.result import Anomaly, ResultData
from edge_agent.delivery.ulid import UlidFactory
from edge_agent.detection.errors import DetectionError
from edge_agent.detection.profile import Profile
from edge_agent.inference.bundle import Bundle
from edge_agent.pipeline.analyse import WindowShape
from edge_agent.pipeline.listener import Listener
from edge_agent.pipeline.roster import Roster


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help=options.PATH_HELP)
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--machine", metavar="ID", help="the machine that is heard")
    who.add_argument("--auto", action="store_true", help="let the sound say which machine is heard (the default)")
    parser.add_argument("--json", action="store_true", help="one event per window, one JSON object per line")
    parser.add_argument("--stream", action="store_true", help="join all files into one continuous recording")
    parser.add_argument(
        "--window-s", type=options.positive, default=10.0, metavar="S", help="length of a window (default: 10)"
    )
    parser.add_argument(
        "--hop-s", type=options.positive, metavar="S", help="from window to window (default: its length)"
    )
    parser.add_argument(
        "--block-samples",
        type=options.at_least(1),
        default=32_768,
        metavar="N",
        help="samples read at a time; changes no result",
    )
    options.add_channel(parser)
    options.add_bundle(parser)
    options.add_state_dir(parser)


def run(arguments: argparse.Namespace) -> int:
    """Score the recordings; 1 if any of them could not be used."""
    store = options.profile_store(arguments)
    wanted = [arguments.machine] if arguments.machine else store.machines()
    paths = expand(arguments.paths)
    bundle = options.open_bundle(arguments)
    roster = Roster(bundle, {machine: store.load(machine) for machine in wanted}, _neighbours(store, wanted))
    listener = roster.listener(arguments.machine) if arguments.machine else roster.router()
    analyser = OfflineAnalyser(
        bundle,
        WindowShape(arguments.window_s, arguments.hop_s or arguments.window_s),
        channels=options.channel_choice(arguments),
        block_samples=arguments.block_samples,
    )
    printer = _JsonPrinter() if arguments.json else _TablePrinter()
    refused = 0
    windows = 0
    started_s = time.monotonic()
    with Progress("replaying", len(paths)) as progress:
        for group in [paths] if arguments.stream else [(path,) for path in paths]:
            try:
                items = analyser.stream(group) if arguments.stream else analyser.recording(group[0])
                for data in _results(items, roster, listener, bundle):
                    printer.show(data)
                    windows += 1
            except SourceError as error:
                print(f"edge-agent: {error}", file=sys.stderr)
                refused += 1
            progress.advance(len(group))
    _summarise(analyser, windows, refused, time.monotonic() - started_s)
    return 1 if refused else 0


def _neighbours(store: ProfileStore, wanted: Sequence[str]) -> dict[str, Profile]:
    """The other machines of the state directory, as far as their profiles can be read."""
    found = {}
    for machine in store.machines():
        if machine not in wanted:
            try:
                found[machine] = store.load(machine)
            except DetectionError as error:
                print(f"edge-agent: {error}; windows are not compared with it", file=sys.stderr)
    return found


def _results(
    items: Iterator[OfflineWindow], roster: Roster, listener: Listener, bundle: Bundle
) -> Iterator[ResultData]:
    reference = bundle_reference(bundle.ref)
    for item in items:
        if item.begins_recording:
            roster.forget()
        if item.rejected is not None:
            continue
        # the virtual clock: every recording begins at the epoch, so that the same bytes give the same results
        start_ns = round(item.window.start_s * NS_PER_S)
        heard = listener.hear(item.window, start_ns)
        yield result_data(
            item.window,
            heard,
            start_ns=start_ns,
            bundle=reference,
            clock_synced=False,
            file=item.file,
            clip=item.clip,
        )


class _JsonPrinter:
    """CloudEvents, one per line."""

    def __init__(self) -> None:
        section = AgentSection()
        self._source = f"/{section.site}/{section.gateway}"
        self._ulids = UlidFactory(now_ms=lambda: time.time_ns() // 1_000_000, randomness=os.urandom)

    def show(self, data: ResultData) -> None:
        event = make_event(
            data, event_id=self._ulids(), source=self._source, subject=data.machine, time=rfc3339(time.time_ns())
        )
        sys.stdout.write(event.to_json().decode() + "\n")


class _TablePrinter:
    """One line per window, for a person."""

    def show(self, data: ResultData) -> None:
        name = Path(data.file or "").name + ("" if data.clip is None else f"[{data.clip}]")
        name = "".join(c if c.isprintable() else "?" for c in name)  # it may hold a terminal's escapes
        score = _score_in_words(data.anomaly)
        level = "silent" if data.level_dbfs is None else f"{data.level_dbfs:6.1f} dBFS"
        identity = "-" if data.identity is None else f"{data.identity.label} {data.identity.confidence:.0%}"
        where = f"{name:40.40}  {data.window_start[11:21]}  {data.machine:16.16}"
        print(f"{where} {data.state:14} {score}  {level}  {identity}")


def _score_in_words(anomaly: Anomaly | None) -> str:
    if anomaly is None:
        return "     -"
    return f"{anomaly.score:6.2f}" + ("" if anomaly.threshold is None else f" of {anomaly.threshold:.2f}")


def _summarise(analyser: OfflineAnalyser, windows: int, refused: int, elapsed_s: float) -> None:
    books = analyser.books
    speed = f", {books.captured_s / elapsed_s:.0f} x real time" if elapsed_s > 0 and books.captured_s else ""
    print(
        f"{windows} windows; {books.captured_s:.1f} s of sound = {books.scored_s:.1f} s scored "
        f"+ {books.skipped_s:.1f} s skipped; {refused} refused{speed}",
        file=sys.stderr,
    )
