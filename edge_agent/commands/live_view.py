"""A commissioning under way, on standard error: a line that is redrawn on a terminal, a line a minute elsewhere."""

import time
from collections.abc import Callable
from typing import TextIO

from edge_agent.capture.level_meter import ChannelLevel, render
from edge_agent.commissioning.run import Note, NoteKind, Progress

_REDRAW_EVERY_S = 0.2
_SAY_EVERY_S = 60.0
_BAR = 20
_METER = 16
_WORDS = {
    NoteKind.SOURCE: "source",
    NoteKind.INPUT_PROBLEM: "input",
    NoteKind.INPUT_SOUND: "input",
    NoteKind.NOT_YET: "not yet",
    NoteKind.REFUSED: "refused",
}


class LiveView:
    """Shows notes and progress.

    Args:
        stream: Where to.
        monotonic_s: Monotonic time, for how often to redraw.
    """

    def __init__(self, stream: TextIO, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._monotonic_s = monotonic_s
        self._redraws = stream.isatty()
        self._drawn_s = float("-inf")
        self._said_s = 0.0

    def note(self, note: Note) -> None:
        """A line that stays."""
        word = _WORDS.get(note.kind)
        self._write(f"{word}: {note.text}" if word else note.text, ends=True)

    def progress(self, progress: Progress) -> None:
        """The line that changes."""
        if not self._redraws:
            if progress.heard_s - self._said_s >= _SAY_EVERY_S:
                self._said_s = progress.heard_s
                self._write(line_of(progress), ends=True)
        elif self._monotonic_s() - self._drawn_s >= _REDRAW_EVERY_S:
            self._drawn_s = self._monotonic_s()
            self._write(line_of(progress), ends=False)

    def close(self) -> None:
        """Leave the changing line behind."""
        if self._redraws:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _write(self, line: str, *, ends: bool) -> None:
        self._stream.write((f"\r{line}\x1b[K" if self._redraws else line) + ("\n" if ends else ""))
        self._stream.flush()


def line_of(progress: Progress) -> str:
    """How far it has come, and what the input does.

    >>> from edge_agent.commissioning.items import Level
    >>> from edge_agent.commissioning.run import Phase
    >>> print(line_of(Progress(Phase.LISTENING, 90.0, 600.0, 9, (("dead", 1),), Level(-45.0, -40.0, 0), None, "")))
    [###.................] 1:30 of 10:00, 9 windows, 1 dead  [########        ]  -45.0 dBFS peak  -40.0
    """
    filled = min(_BAR, int(_BAR * progress.heard_s / progress.wanted_s))
    parts = [f"[{'#' * filled}{'.' * (_BAR - filled)}] {_clock(progress.heard_s)} of {_clock(progress.wanted_s)}"]
    parts.append(f"{progress.windows} windows")
    parts += [f"{count} {reason}" for reason, count in progress.left_out]
    line = ", ".join(parts)
    if progress.level is not None:
        level = progress.level
        meter = render((ChannelLevel(level.rms_dbfs, level.peak_dbfs, level.clipped),), _METER)
        line += "  " + meter.partition(" ")[2]
    return line


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
