"""One process's replay: what is loaded once, and recordings through it."""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from edge_agent.agent.offline import Books, OfflineAnalyser, OfflineWindow
from edge_agent.agent.profiles import ProfileStore
from edge_agent.capture.clock import NS_PER_S
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


@dataclass
class Tally:
    """What became of the recordings so far.

    Attributes:
        windows: Windows that were shown.
        refused: Recordings that could not be used.
        books: Seconds of sound.
    """

    windows: int = 0
    refused: int = 0
    books: Books = field(default_factory=Books)

    def add(self, other: "Tally") -> None:
        """Add what another process did."""
        self.windows += other.windows
        self.refused += other.refused
        self.books.captured_s += other.books.captured_s
        self.books.scored_s += other.books.scored_s
        self.books.skipped_s += other.books.skipped_s


class ReplaySession:
    """Recordings through the path of live sources.

    Args:
        arguments: Of `edge-agent replay`.
        complain: Whether profiles that cannot be read are told; a second process says nothing twice.
    """

    def __init__(self, arguments: argparse.Namespace, *, complain: bool = True) -> None:
        store = options.profile_store(arguments)
        wanted = [arguments.machine] if arguments.machine else store.machines()
        self.bundle = options.open_bundle(arguments)
        profiles = {machine: store.load(machine) for machine in wanted}
        self._roster = Roster(self.bundle, profiles, _neighbours(store, wanted, complain=complain))
        self._listener: Listener = (
            self._roster.listener(arguments.machine) if arguments.machine else self._roster.router()
        )
        self._analyser = OfflineAnalyser(
            self.bundle,
            WindowShape(arguments.window_s, arguments.hop_s or arguments.window_s),
            channels=options.channel_choice(arguments),
            block_samples=arguments.block_samples,
        )
        self._printer = _JsonPrinter() if arguments.json else _TablePrinter()
        self._stream = bool(arguments.stream)

    def replay(self, paths: Sequence[Path], out: TextIO, complaints: TextIO) -> Tally:
        """Score one recording, or with `--stream` several joined; what is said of it goes to the two texts."""
        tally = Tally(books=self._analyser.begin_books())
        try:
            items = self._analyser.stream(paths) if self._stream else self._analyser.recording(paths[0])
            for data in _results(items, self._roster, self._listener, self.bundle):
                self._printer.show(data, out)
                tally.windows += 1
        except SourceError as error:
            print(f"edge-agent: {error}", file=complaints)
            tally.refused += 1
        return tally


def _neighbours(store: ProfileStore, wanted: Sequence[str], *, complain: bool) -> dict[str, Profile]:
    """The other machines of the state directory, as far as their profiles can be read."""
    found = {}
    for machine in store.machines():
        if machine not in wanted:
            try:
                found[machine] = store.load(machine)
            except DetectionError as error:
                if complain:
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
        self._ulids = UlidFactory.of_this_computer()

    def show(self, data: ResultData, out: TextIO) -> None:
        event = make_event(
            data, event_id=self._ulids(), source=self._source, subject=data.machine, time=rfc3339(time.time_ns())
        )
        out.write(event.to_json().decode() + "\n")


class _TablePrinter:
    """One line per window, for a person."""

    def show(self, data: ResultData, out: TextIO) -> None:
        name = Path(data.file or "").name + ("" if data.clip is None else f"[{data.clip}]")
        name = "".join(c if c.isprintable() else "?" for c in name)  # it may hold a terminal's escapes
        score = _score_in_words(data.anomaly)
        level = "silent" if data.level_dbfs is None else f"{data.level_dbfs:6.1f} dBFS"
        identity = "-" if data.identity is None else f"{data.identity.label} {data.identity.confidence:.0%}"
        where = f"{name:40.40}  {data.window_start[11:21]}  {data.machine:16.16}"
        print(f"{where} {data.state:14} {score}  {level}  {identity}", file=out)


def _score_in_words(anomaly: Anomaly | None) -> str:
    if anomaly is None:
        return "     -"
    return f"{anomaly.score:6.2f}" + ("" if anomaly.threshold is None else f" of {anomaly.threshold:.2f}")
