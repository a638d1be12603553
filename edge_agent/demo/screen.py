"""The live table on a terminal."""

import math
from collections.abc import Iterable
from contextlib import AbstractContextManager

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from edge_agent.demo import words
from edge_agent.demo.story import Row, Story

_FEWEST_ROWS, _MOST_ROWS = 4, 14
_BESIDE_ROWS = 16
"""Lines of everything but the windows, the alarm's sentence on three of them."""
_SHORTEST_BAR, _LONGEST_BAR = 8, 30
_BESIDE_BAR = 88
"""Columns of everything but the score's bar."""
_FULL_SCORE = 20.0
_COLOURS = {"normal": "green", "suspect": "yellow", "alarm": "bold red", "input_fault": "magenta"}


class Screen:
    """A view with colours, bars and a table that moves.

    Args:
        title: What is listened to.
        console: Where to; by default the terminal.
    """

    def __init__(self, title: str, console: Console | None = None) -> None:
        self._title = title
        self._console = console or Console(highlight=False)
        self._live: Live | None = None

    def say(self, text: str) -> None:
        """Print it."""
        self._console.print(Text(text))

    def work(self, what: str, parts: Iterable[float]) -> None:
        """Show a bar while it is done."""
        columns = (TextColumn("{task.description:34}"), BarColumn(40), TaskProgressColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console) as progress:
            task = progress.add_task(what, total=1.0)
            for part in parts:
                progress.update(task, completed=part)
            progress.update(task, completed=1.0)

    def listening(self, story: Story) -> AbstractContextManager[object]:
        """Show the table until left; it stays on the terminal."""
        self._live = Live(self.picture(story), console=self._console, refresh_per_second=8)
        return self._live

    def update(self, story: Story, added: list[Row]) -> None:
        """Draw it anew."""
        del added
        if self._live is not None:
            self._live.update(self.picture(story))

    def picture(self, story: Story) -> RenderableType:
        """The whole of it at this moment."""
        return Group(self._table(story), _alarm(story), _foot(story))

    def _table(self, story: Story) -> Table:
        bar = max(_SHORTEST_BAR, min(_LONGEST_BAR, self._console.width - _BESIDE_BAR))
        shown = max(_FEWEST_ROWS, min(_MOST_ROWS, self._console.height - _BESIDE_ROWS))
        table = Table(box=box.SIMPLE_HEAD, title=self._title, title_style="bold", expand=True, pad_edge=False)
        table.add_column("time", justify="right", no_wrap=True)
        table.add_column("fault", justify="right", no_wrap=True, style="dim")
        table.add_column(" score and threshold" if bar > 13 else " score", no_wrap=True, width=bar + 7)
        table.add_column("dBFS", justify="right", no_wrap=True)
        table.add_column("sounds like", no_wrap=True)
        table.add_column("state", no_wrap=True)
        table.add_column("because of", no_wrap=True, ratio=1)
        rows = story.rows[-shown:]
        for row in rows:
            colour = _COLOURS.get(row.state, "white")
            odd = row.state in ("suspect", "alarm")
            table.add_row(
                words.clock(row.start_s),
                f"{row.severity:.0%}" if row.severity else "-",
                _score(row, colour, bar),
                "-" if row.level_dbfs is None else f"{row.level_dbfs:.1f}",
                words.identity(row.identity),
                Text(row.state, colour),
                words.bands(row.leading_bands) if odd else "",
            )
        for _ in range(shown - len(rows)):
            table.add_row()
        return table


def _score(row: Row, colour: str, cells: int) -> Text:
    """The score as a bar on a square-root scale, so that both the threshold and a loud fault can be seen."""
    if row.score is None or row.threshold is None:
        return Text("-")
    filled, limit = _place(row.score, cells), _place(row.threshold, cells)
    text = Text(f"{row.score:6.2f} ", colour)
    for cell in range(cells):
        mark = "┃" if cell == limit else "━" if cell < filled else " "
        text.append(mark, "white" if cell == limit else colour)
    return text


def _place(score: float, cells: int) -> int:
    return min(cells, round(cells * math.sqrt(max(0.0, score) / _FULL_SCORE)))


def _alarm(story: Story) -> Panel:
    if not story.alarms:
        if story.alarm_on:
            return Panel(Text("the alarm is on"), title="ALARM", border_style="bold red")
        return Panel(Text("no alarm", "green"), title="alarm", border_style="green")
    alarm = story.alarms[-1]
    title = f"ALARM raised at {words.clock(alarm.start_s)}"
    if not story.alarm_on:
        return Panel(Text(alarm.text), title=f"{title}, cleared", border_style="yellow")
    return Panel(Text(alarm.text, "bold"), title=title, border_style="bold red")


def _foot(story: Story) -> Table:
    foot = Table.grid(padding=(0, 2))
    foot.add_column(style="dim", justify="right", no_wrap=True)
    foot.add_column(overflow="ellipsis", no_wrap=True)
    last = story.rows[-1] if story.rows else None
    foot.add_row("detectors", words.detectors(last.detectors) if last else "-")
    reading = story.reading
    if reading is None:
        foot.add_row("events", "-")
        foot.add_row("sound", "-")
        return foot
    foot.add_row("events", words.events(reading, story.received))
    foot.add_row("sound", Text(words.ledger(reading), "" if reading.balances else "bold red"))
    return foot
