"""A mosquitto of the demo's own, on a free loopback port."""

import shutil
import socket
from pathlib import Path

from edge_agent.demo.child import Child, free_port

_ELSEWHERE = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
_START_S = 10.0


def find_mosquitto() -> str | None:
    """The broker's program, in PATH or where distributions put it; None where there is none."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path=_ELSEWHERE)


class Broker(Child):
    """A real mosquitto that only this computer reaches and that keeps nothing.

    Args:
        program: The mosquitto to run.
        directory: For its configuration and log.

    Raises:
        DemoError: It does not start.
    """

    def __init__(self, program: str, directory: Path) -> None:
        self.port = free_port()
        config = directory / "mosquitto.conf"
        config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_dest stderr\n")
        super().__init__("mosquitto", [program, "-c", str(config)], directory / "mosquitto.log")
        try:
            self.wait_until(self._answers, _START_S)
        except BaseException:
            self.stop()
            raise

    def _answers(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(0.2)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
