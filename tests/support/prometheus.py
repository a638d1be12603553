"""A real Prometheus on a free port."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.broker import free_port

PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")

needs_prometheus = pytest.mark.skipif(
    PROMETHEUS is None or PROMTOOL is None, reason="prometheus and promtool are not installed"
)


@dataclass(frozen=True)
class Series:
    """One answer: its labels and last value."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True)
class Exemplar:
    """One example of what a series counted: the series, what the example names, and its value."""

    series: Mapping[str, str]
    labels: Mapping[str, str]
    value: float


class Prometheus:
    """Asks a running server."""

    def __init__(self, port: int) -> None:
        self._port = port

    def query(self, expression: str) -> list[Series]:
        """Answer of this moment; nothing while the server does not answer.

        Raises:
            ValueError: The expression is refused.
        """
        answer = self._get("query", {"query": expression})["data"]
        if answer["resultType"] == "scalar":
            return [Series({}, float(answer["result"][1]))]
        return [Series(item["metric"], float(item["value"][1])) for item in answer["result"]]

    def query_range(self, expression: str, start_s: float, end_s: float, step_s: float) -> list[dict[str, Any]]:
        """Matrix over a time range, as the server says it."""
        times = {"start": f"{start_s}", "end": f"{end_s}", "step": f"{step_s}"}
        return list(self._get("query_range", {"query": expression, **times})["data"]["result"])

    def exemplars(self, expression: str) -> list[Exemplar]:
        """What the server stored beside the series of an expression within the last hour."""
        now_s = time.time()
        answer = self._get(
            "query_exemplars", {"query": expression, "start": f"{now_s - 3600}", "end": f"{now_s + 60}"}
        )["data"]
        return [
            Exemplar(series["seriesLabels"], each["labels"], float(each["value"]))
            for series in (answer if isinstance(answer, list) else ())
            for each in series["exemplars"]
        ]

    def has_figures(self, expression: str) -> bool:
        """Whether the answer holds at least one number."""
        return any(not math.isnan(series.value) for series in self.query(expression))

    def _get(self, path: str, arguments: Mapping[str, str]) -> dict[str, Any]:
        """The whole answer; one without series while the server does not answer."""
        nothing = {"data": {"resultType": "vector", "result": []}}
        url = f"http://127.0.0.1:{self._port}/api/v1/{path}?{urllib.parse.urlencode(arguments)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                return dict(json.load(response))
        except urllib.error.HTTPError as error:
            if error.code == 503:  # it is starting
                return nothing
            raise ValueError(f"{arguments}: {error.read().decode()}") from error
        except OSError:
            return nothing


@contextmanager
def prometheus(directory: Path, target_port: int, rules: Path | None = None) -> Iterator[Prometheus]:
    """A server that scrapes an agent every second, and evaluates rules if there are any."""
    assert PROMETHEUS is not None
    port = free_port()
    directory.mkdir()
    (directory / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
        + (f'rule_files: ["{rules}"]\n' if rules is not None else "")
        + "scrape_configs:\n- job_name: edge-agent\n  static_configs:\n"
        f'  - targets: ["127.0.0.1:{target_port}"]\n',
        encoding="utf-8",
    )
    command = [PROMETHEUS, f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data"]
    command.append("--enable-feature=exemplar-storage")
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    try:
        yield Prometheus(port)
    finally:
        process.terminate()
        process.wait(20)
