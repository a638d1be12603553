"""A `mosquitto_sub` that keeps what it hears, as an operator would see it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.broker import Broker, wait_until

MOSQUITTO_SUB = shutil.which("mosquitto_sub")

needs_mosquitto_sub = pytest.mark.skipif(MOSQUITTO_SUB is None, reason="mosquitto_sub is not installed")


@dataclass(frozen=True)
class Letter:
    """One message: its topic below the root, and the event in it."""

    topic: str
    retained: bool
    event: dict[str, Any]

    @property
    def data(self) -> dict[str, Any]:
        """The event's data."""
        return dict(self.event["data"])


class Ear:
    """What one mosquitto_sub has printed so far."""

    def __init__(self, output: Path) -> None:
        self._output = output

    def letters(self, ending: str = "") -> list[Letter]:
        """Messages in order of arrival whose topic ends so."""
        found = []
        for line in self._output.read_text(encoding="utf-8").splitlines(keepends=True):
            if line.endswith("\n") and not line.startswith("@ready"):
                retained, topic, payload = line.split(" ", 2)
                if topic.endswith(ending) and topic != "probe":
                    found.append(Letter(topic, retained == "1", json.loads(payload)))
        return found


@contextmanager
def listening(broker: Broker, output: Path, topic: str = "#") -> Iterator[Ear]:
    """A subscriber that is surely subscribed when the block begins."""
    assert MOSQUITTO_SUB is not None
    words = [MOSQUITTO_SUB, "-V", "5", "-p", str(broker.port), "-q", "1", "-t", topic, "-t", "probe", "-F", "%r %t %p"]
    with output.open("wb") as file:
        process = subprocess.Popen(words, stdout=file)
    try:
        wait_until(lambda: _heard_probe(broker, output), what="mosquitto_sub")
        yield Ear(output)
    finally:
        process.terminate()
        process.wait(10)


def _heard_probe(broker: Broker, output: Path) -> bool:
    subprocess.run(["mosquitto_pub", "-p", str(broker.port), "-t", "probe", "-m", "{}"], check=True, timeout=5)
    return b" probe " in output.read_bytes()
