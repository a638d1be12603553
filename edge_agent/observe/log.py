"""The agent's log: for a person, for a machine, or for journald."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from enum import StrEnum
from typing import TextIO


class LogFormat(StrEnum):
    """How lines look."""

    TEXT = "text"
    JSON = "json"
    JOURNALD = "journald"


_HANDLER_NAME = "edge-agent"


class TextFormatter(logging.Formatter):
    """`2026-01-31T12:00:00.123Z WARNING edge_agent.delivery.mqtt: message`, one line unless there is a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        message = _one_line(record.getMessage())
        line = f"{_time(record)} {record.levelname} {record.name}: {message}"
        return line + ("\n" + self.formatException(record.exc_info) if record.exc_info else "")


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time, level, logger, message, and traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        entry = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


class JournaldFormatter(logging.Formatter):
    """Every line begins with its priority, `<4>`, for journald (sd-daemon(3)), which knows the time itself."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        text = f"{record.name}: {_one_line(record.getMessage())}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        prefix = f"<{_priority(record.levelno)}>"
        return "\n".join(prefix + line for line in text.split("\n"))


_FORMATTERS: dict[LogFormat, type[logging.Formatter]] = {
    LogFormat.TEXT: TextFormatter,
    LogFormat.JSON: JsonFormatter,
    LogFormat.JOURNALD: JournaldFormatter,
}


def set_up_logging(stream: TextIO, *, log_format: LogFormat = LogFormat.TEXT, level: int = logging.INFO) -> None:
    """Send the log of the whole process to a stream; calling it again replaces what the last call set up."""
    handler = logging.StreamHandler(stream)
    handler.name = _HANDLER_NAME
    handler.setFormatter(_FORMATTERS[log_format]())
    root = logging.getLogger()
    for old in [each for each in root.handlers if each.name == _HANDLER_NAME]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for chatty in ("uvicorn", "asyncio", "httpx", "httpcore", "tuf"):
        logging.getLogger(chatty).setLevel(max(level, logging.WARNING))


def _one_line(text: str) -> str:
    """Keep a message that quotes hostile input from forging lines or controlling a terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _priority(level: int) -> int:
    for least, priority in ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6)):
        if level >= least:
            return priority
    return 7
