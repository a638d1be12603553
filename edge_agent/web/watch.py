"""From the agent's own events to what the page shows."""

import logging
import time
from dataclasses import replace
from pathlib import PurePath

from edge_agent.agent.hearing.event import WindowEvent
from edge_agent.capture.clock import NS_PER_S
from edge_agent.detection.explain import sentence
from edge_agent.pipeline.policy import Unscorable
from edge_agent.web.board import Band, Board, LogLine, Part, SeenWindow

_WHY_REJECTED = {
    Unscorable.LOW_COVERAGE: "too much of the window was lost",
    Unscorable.TAIL: "the rest of a recording, shorter than a window",
}
_WHY_SILENT = {
    "uncommissioned": "nothing was learnt of this machine yet",
    "unknown": "it sounds like no machine that is known here",
}


def seen_window(event: WindowEvent, machine: str | None) -> SeenWindow:
    """A window of the engine in the page's terms.

    Args:
        event: The window.
        machine: Who is heard at its channel by the configuration; None where only the sound tells, and a window that
            was not scored goes by the name of its source.
    """
    heard, level = event.heard, event.level_dbfs
    start_s, end_s = event.start_ns / NS_PER_S, event.end_ns / NS_PER_S
    if heard is None:
        why = "not scored" if event.rejected is None else _WHY_REJECTED.get(event.rejected, event.rejected.value)
        return SeenWindow(
            machine=machine or event.source_id, source=event.source_id, channel=event.channel, index=event.window.index,
            state="rejected", why=why, coverage=event.window.coverage, level_dbfs=level, start_s=start_s, end_s=end_s,
        )  # fmt: skip
    verdict, identity = heard.verdict, heard.identity
    seen = SeenWindow(
        machine=heard.machine_id, source=event.source_id, channel=event.channel, index=event.window.index,
        state=heard.state.value, why=_WHY_SILENT.get(heard.state.value, ""), coverage=event.window.coverage,
        level_dbfs=level, identity=None if identity is None else identity.label,
        confidence=None if identity is None else identity.confidence,
        log_mel_db=event.window.features.log_mel_db, start_s=start_s, end_s=end_s,
    )  # fmt: skip
    if verdict is None:
        return seen
    return replace(
        seen,
        why=sentence(heard.machine_id, verdict),
        score=verdict.score,
        threshold=verdict.threshold,
        percentile=verdict.percentile,
        bands=tuple(Band(band.centre_hz, band.contribution, band.change_db) for band in verdict.bands),
        parts=tuple(Part(part.name, part.score, part.share) for part in verdict.detectors),
        findings=tuple(finding.message for finding in verdict.health),
        nearest=(PurePath(verdict.nearest_normal.recording).name, verdict.nearest_normal.distance),
    )


class BoardLog(logging.Handler):
    """Puts the agent's own log lines, one per change of state, on the board; never those of libraries."""

    def __init__(self, board: Board) -> None:
        super().__init__(logging.INFO)
        self._board = board

    def emit(self, record: logging.LogRecord) -> None:
        """One line."""
        self._board.line(LogLine(time.time(), record.levelname.lower(), record.getMessage()[:2000]))
