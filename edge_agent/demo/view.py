"""How the demo is shown: what every view can do, and the one that prints lines."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TextIO

from edge_agent.demo import words
from edge_agent.demo.story import Row, Story


class View(Protocol):
    """Shows a demo as it goes on."""

    def say(self, text: str) -> None:
        """A line that stays."""

    def work(self, what: str, parts: Iterable[float]) -> None:
        """Do a longer work; each step yields the part done, 0 to 1."""

    def listening(self, story: Story) -> AbstractContextManager[object]:
        """Show the story until left."""

    def update(self, story: Story, added: list[Row]) -> None:
        """The story went on."""


class PlainView:
    """Lines, for a file, a pipe or a continuous integration's log."""

    def __init__(self, output: TextIO | None = None) -> None:
        self._output = sys.stdout if output is None else output
        self._alarms = 0

    def say(self, text: str) -> None:
        """Print it."""
        print(text, file=self._output, flush=True)

    def work(self, what: str, parts: Iterable[float]) -> None:
        """Print what is done, and do it."""
        self.say(f"{what} ...")
        for _ in parts:
            pass

    @contextmanager
    def listening(self, story: Story) -> Iterator[None]:
        """Print the books at the end."""
        yield
        if story.reading is not None:
            self.say(f"events: {words.events(story.reading, story.received)}")
            self.say(f"sound: {words.ledger(story.reading)}")

    def update(self, story: Story, added: list[Row]) -> None:
        """Print the new windows, and an alarm where one was raised."""
        for row in added:
            score = "-" if row.score is None else f"{row.score:5.2f} of {row.threshold:.2f}"
            line = f"{words.clock(row.start_s):>5}  fault {row.severity:4.0%}  {row.state:8} {score:14}"
            line += f"  {words.level(row.level_dbfs):>11}  {words.identity(row.identity):22}"
            if row.state in ("suspect", "alarm"):
                line += f"  {words.bands(row.leading_bands)} ({words.detectors(row.detectors)})"
            self.say(line.rstrip())
        for alarm in story.alarms[self._alarms :]:
            self.say(f"ALARM at {words.clock(alarm.start_s)}: {alarm.text}")
        self._alarms = len(story.alarms)
