"""What the page shows, kept as it happens: the scorer writes, requests read."""

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.web.history import History, Mark

_SPECTROGRAM_WINDOWS: Final = 6
_LAST_WINDOWS: Final = 30
_LOG_LINES: Final = 300


@dataclass(frozen=True, slots=True)
class Band:
    """One third octave's part in a score, and how it differs from normal."""

    centre_hz: float
    contribution: float
    change_db: float


@dataclass(frozen=True, slots=True)
class Part:
    """One detector's part in a score."""

    name: str
    score: float
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class SeenWindow:
    """One finished window as the page tells it.

    Attributes:
        machine: Whose; the source's name where a rejected window has none.
        source, channel: Where it came from.
        index: Its number in the stream.
        start_s, end_s: Wall time, seconds.
        state: What it said, or `rejected`.
        why: For a window that says nothing: the reason in plain words; else the sentence on what it sounds like.
        coverage: Share that was heard.
        score, threshold, percentile: None without a profile.
        level_dbfs: None for silence.
        identity, confidence: What it sounds like.
        bands, parts: The explanation.
        findings: What is wrong with the input.
        nearest: Name of the normal recording that is most alike, with its distance; None without a profile.
        log_mel_db: Its frames `[frames, 128]`; the board keeps none here, see `Board.frames`.
    """

    machine: str
    source: str
    channel: int
    index: int
    start_s: float
    end_s: float
    state: str
    why: str
    coverage: float
    score: float | None = None
    threshold: float | None = None
    percentile: float | None = None
    level_dbfs: float | None = None
    identity: str | None = None
    confidence: float | None = None
    bands: tuple[Band, ...] = ()
    parts: tuple[Part, ...] = ()
    findings: tuple[str, ...] = ()
    nearest: tuple[str, float] | None = None
    log_mel_db: NDArray[np.float32] | None = None


@dataclass(slots=True)
class _Machine:
    version: int = 0
    last: SeenWindow | None = None
    windows: deque[SeenWindow] = field(default_factory=lambda: deque(maxlen=_LAST_WINDOWS))
    frames: deque[NDArray[np.float32]] = field(default_factory=lambda: deque(maxlen=_SPECTROGRAM_WINDOWS))
    history: History = field(default_factory=History)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the log of changes."""

    at_s: float
    level: str
    text: str


class Board:
    """Keeps the last hours of every machine; any thread may use it.

    Memory is bounded: six hours of marks, six windows of frames and thirty windows of words for each machine.

    Args:
        machines: Those that are configured, so that they are shown before their first window.
    """

    def __init__(self, machines: tuple[str, ...] = ()) -> None:
        self._lock = threading.Lock()
        self._version = 0
        self._machines: dict[str, _Machine] = {name: _Machine() for name in machines}
        self._log: deque[LogLine] = deque(maxlen=_LOG_LINES)
        self._log_version = 0

    def knows(self, machines: tuple[str, ...]) -> None:
        """The machines that are configured from now on; others that were heard stay until the end."""
        with self._lock:
            for name in machines:
                self._machines.setdefault(name, _Machine())

    def window(self, window: SeenWindow) -> None:
        """A window is finished."""
        with self._lock:
            self._version += 1
            machine = self._machines.setdefault(window.machine, _Machine())
            machine.version = self._version
            if window.log_mel_db is not None:
                # half the memory, and finer than the picture's colours
                machine.frames.append(window.log_mel_db.astype(np.float16))
                window = replace(window, log_mel_db=None)  # thirty windows of them would be 5 MB for each machine
            machine.last = window
            machine.windows.append(window)
            machine.history.add(Mark(window.end_s, window.score, window.threshold, window.level_dbfs, window.state))

    def line(self, line: LogLine) -> None:
        """Something changed that a person may want to know."""
        with self._lock:
            self._log_version += 1
            self._log.append(line)

    @property
    def version(self) -> int:
        """Grows with every window."""
        return self._version

    @property
    def log_version(self) -> int:
        """Grows with every line of the log."""
        return self._log_version

    def machines(self) -> tuple[str, ...]:
        """Names of all machines, in order of name."""
        with self._lock:
            return tuple(sorted(self._machines))

    def newest(self, after: int = 0) -> Mapping[str, SeenWindow | None]:
        """The last window of each machine that changed after a version; all of them for 0."""
        with self._lock:
            return {
                name: machine.last
                for name, machine in sorted(self._machines.items())
                if machine.version > after or after == 0
            }

    def windows(self, machine: str) -> tuple[SeenWindow, ...]:
        """The last windows of a machine, newest first.

        Raises:
            KeyError: There is no such machine.
        """
        with self._lock:
            return tuple(reversed(self._machines[machine].windows))

    def place(self, machine: str) -> tuple[str, int] | None:
        """Source and channel of a machine's last window; None before the first, and for a machine nobody knows."""
        with self._lock:
            known = self._machines.get(machine)
            return None if known is None or known.last is None else (known.last.source, known.last.channel)

    def history(self, machine: str, since_s: float = 0.0) -> dict[str, list[float | int | None]]:
        """Columns of the last hours, see `History.columns`.

        Raises:
            KeyError: There is no such machine.
        """
        with self._lock:
            return self._machines[machine].history.columns(since_s)

    def frames(self, machine: str) -> NDArray[np.float32] | None:
        """The last minute of log-mel frames `[frames, 128]`; None before the first.

        Raises:
            KeyError: There is no such machine.
        """
        with self._lock:
            frames = list(self._machines[machine].frames)
        return np.concatenate(frames).astype(np.float32) if frames else None

    def log(self) -> tuple[LogLine, ...]:
        """The log of changes, newest first."""
        with self._lock:
            return tuple(reversed(self._log))
