"""The agent of the demo: `edge-agent run` with a configuration of its own, in a process of its own."""

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

from edge_agent.delivery.topics import Topics
from edge_agent.demo.child import Child, free_port
from edge_agent.demo.reading import Reading, read_metrics

TOPICS = Topics("edge_agent", "demo", "gateway_1")
_START_S = 60.0
_ANSWER_S = 5.0
_OTHERS = ("EDGE_AGENT__", "NOTIFY_SOCKET", "WATCHDOG_", "STATE_DIRECTORY", "CREDENTIALS_DIRECTORY", "JOURNAL_STREAM")


class Agent(Child):
    """A real agent that plays one recording as if it were heard now.

    Args:
        directory: For configuration and log.
        state_dir: The agent's data, with the machine's profile in it.
        bundle: Directory of the models.
        machine_id: The machine that is heard.
        recording: What is played.
        speed: Times real time.
        broker_port: Where it publishes.

    Raises:
        DemoError: It does not start.
    """

    def __init__(
        self,
        directory: Path,
        *,
        state_dir: Path,
        bundle: Path,
        machine_id: str,
        recording: Path,
        speed: float,
        broker_port: int,
    ) -> None:
        self._url = f"http://127.0.0.1:{(http_port := free_port())}"
        config = directory / "agent.toml"
        config.write_text(f"""\
[agent]
site = {json.dumps(TOPICS.site)}
gateway = {json.dumps(TOPICS.gateway)}
state_dir = {json.dumps(str(state_dir))}

[model]
bundle = {json.dumps(f"{bundle}/")}

[mqtt]
root_topic = {json.dumps(TOPICS.root)}
port = {broker_port}

[http]
port = {http_port}

[[machine]]
id = {json.dumps(machine_id)}
type = "pump"

[[source]]
id = "microphone_1"
kind = "replay"
paths = [{json.dumps(str(recording))}]
speed = {speed:.6f}

[[source.channel]]
machine = {json.dumps(machine_id)}
""")
        # what configures another agent on this computer is none of this one's business
        environ = {name: value for name, value in os.environ.items() if not name.startswith(_OTHERS)}
        command = [sys.executable, "-m", "edge_agent", "run", "--config", str(config)]
        super().__init__("the agent", command, directory / "agent.log", environ)
        try:
            self.wait_until(self._answers, _START_S)
        except BaseException:
            self.stop()
            raise

    @property
    def metrics_url(self) -> str:
        """Where Prometheus would scrape it."""
        return f"{self._url}/metrics"

    def reading(self) -> Reading:
        """Scrape it once.

        Raises:
            DemoError: It has ended.
            OSError: It does not answer.
        """
        self.check()
        with urllib.request.urlopen(self.metrics_url, timeout=_ANSWER_S) as answer:
            return read_metrics(answer.read().decode())

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._url}/livez", timeout=_ANSWER_S) as answer:
                return bool(answer.status == 200)
        except urllib.error.URLError:
            return False
