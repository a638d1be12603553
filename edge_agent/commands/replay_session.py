"""One process's replay: what is loaded once, and recordings through it."""

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from edge_agent.agent.hearing.offline import Books, OfflineAnalyser, OfflineWindow, Refused
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
from edge_agent.pipeline.listener import Heard, ManyListener
from edge_agent.pipeline.roster import Roster
from edge_agent.pipeline.window import WindowShape


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
        self._listener: ManyListener = (
            self._roster.listener(arguments.machine) if arguments.machine else self._roster.router()
        )
        self._analyser = OfflineAnalyser(
            self.bundle,
            WindowShape(arguments.window_s, arguments.hop_s or arguments.window_s),
            channels=options.channel_choice(arguments),
            block_samples=arguments.block_samples,
        )
        self._printer = _JsonPrinter() if arguments.json else _TablePrinter()
        self._reference = bundle_reference(self.bundle.ref)
        self._stream = bool(arguments.stream)

    def replay(self, paths: Iterable[Path], out: TextIO, complaints: TextIO) -> Tally:
        """Score recordings, with `--stream` all joined into one; what is said of them goes to the two texts."""
        tally = Tally(books=self._analyser.begin_books())
        try:
            for step in self._analyser.stream(paths) if self._stream else self._analyser.recordings(paths):
                self._show(step, tally, out, complaints)
        except SourceError as error:
            _refuse(error, tally, complaints)
        return tally

    def _show(self, step: Sequence[OfflineWindow | Refused], tally: Tally, out: TextIO, complaints: TextIO) -> None:
        """Each thing is done for all windows of a step before the next thing is."""
        scored = [item for item in step if isinstance(item, OfflineWindow) and item.rejected is None]
        opinions = iter(self._listener.consider([item.window for item in scored]))
        heard = []
        for item in step:
            if isinstance(item, Refused):
                continue
            if item.begins_recording:
                self._roster.forget()
            if item.rejected is None:
                # the virtual clock: every recording begins at the epoch, so that the same bytes give the same results
                heard.append(self._listener.conclude(next(opinions), _start_ns(item)))
        said = iter(self._printer.lines(list(map(self._data, scored, heard))))
        for item in step:
            if isinstance(item, Refused):
                _refuse(item.error, tally, complaints)
            elif item.rejected is None:
                out.write(next(said))
                tally.windows += 1

    def _data(self, item: OfflineWindow, heard: Heard) -> ResultData:
        return result_data(
            item.window,
            heard,
            start_ns=_start_ns(item),
            bundle=self._reference,
            clock_synced=False,
            file=item.file,
            clip=item.clip,
        )


def _start_ns(item: OfflineWindow) -> int:
    return round(item.window.start_s * NS_PER_S)


def _refuse(error: SourceError, tally: Tally, complaints: TextIO) -> None:
    print(f"edge-agent: {error}", file=complaints)
    tally.refused += 1


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


class _JsonPrinter:
    """CloudEvents, one per line."""

    def __init__(self) -> None:
        section = AgentSection()
        self._source = f"/{section.site}/{section.gateway}"
        self._ulids = UlidFactory.of_this_computer()

    def lines(self, results: Sequence[ResultData]) -> list[str]:
        events = [
            make_event(
                data, event_id=self._ulids(), source=self._source, subject=data.machine, time=rfc3339(time.time_ns())
            )
            for data in results
        ]
        return [event.to_json().decode() + "\n" for event in events]


class _TablePrinter:
    """One line per window, for a person."""

    def lines(self, results: Sequence[ResultData]) -> list[str]:
        return [f"{self._line(data)}\n" for data in results]

    @staticmethod
    def _line(data: ResultData) -> str:
        name = Path(data.file or "").name + ("" if data.clip is None else f"[{data.clip}]")
        name = "".join(c if c.isprintable() else "?" for c in name)  # it may hold a terminal's escapes
        score = _score_in_words(data.anomaly)
        level = "silent" if data.level_dbfs is None else f"{data.level_dbfs:6.1f} dBFS"
        identity = "-" if data.identity is None else f"{data.identity.label} {data.identity.confidence:.0%}"
        where = f"{name:40.40}  {data.window_start[11:21]}  {data.machine:16.16}"
        return f"{where} {data.state:14} {score}  {level}  {identity}"


def _score_in_words(anomaly: Anomaly | None) -> str:
    if anomaly is None:
        return "     -"
    return f"{anomaly.score:6.2f}" + ("" if anomaly.threshold is None else f" of {anomaly.threshold:.2f}")
