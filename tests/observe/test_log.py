from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from edge_agent.observe.log import LogFormat, set_up_logging


@pytest.fixture(autouse=True)
def _root_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def written(log_format: LogFormat, *, error: bool = False) -> str:
    stream = io.StringIO()
    set_up_logging(stream, log_format=log_format)
    logger = logging.getLogger("edge_agent.test")
    if error:
        try:
            raise ValueError("inner")
        except ValueError:
            logger.exception("failed")
    else:
        logger.warning("machine %s\n<0>forged \x1b[31m", "fan-1")
    return stream.getvalue()


def test_text_is_one_line_that_no_message_can_forge() -> None:
    line = written(LogFormat.TEXT)
    assert line.count("\n") == 1
    assert line.endswith(r" WARNING edge_agent.test: machine fan-1\n<0>forged \x1b[31m" + "\n")
    assert line[10] == "T"


def test_json_is_one_object_a_line() -> None:
    entry = json.loads(written(LogFormat.JSON))
    assert entry["level"] == "warning"
    assert entry["message"].startswith("machine fan-1\n")
    assert "ValueError: inner" in json.loads(written(LogFormat.JSON, error=True))["traceback"]


def test_journald_gets_a_priority_on_every_line() -> None:
    assert written(LogFormat.JOURNALD).startswith("<4>edge_agent.test: machine fan-1")
    lines = written(LogFormat.JOURNALD, error=True).splitlines()
    assert len(lines) > 2
    assert all(line.startswith("<3>") for line in lines)


def test_setting_up_again_replaces() -> None:
    first = io.StringIO()
    set_up_logging(first)
    text = written(LogFormat.TEXT)
    assert text
    assert first.getvalue() == ""
