"""What holds for every test."""

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """Commands that run in this process set up the log on a stream that is closed when their test ends."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    logging.captureWarnings(capture=False)
    for handler in root.handlers[:]:
        if handler not in handlers:
            root.removeHandler(handler)
    root.setLevel(level)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """A long text names no test: its name is in the environment of every process that the test starts."""
    return f"{argname} of {len(val)}" if isinstance(val, str | bytes) and len(val) > 100 else None
