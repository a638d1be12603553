"""What a plain start imports: an agent pays in time and memory for what it is asked to do, and for nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.agent import BUNDLE
from tests.support.broker import free_port, wait_until

NOT_ASKED_FOR = {
    # a hub, and models from it
    "httpx", "tuf", "securesystemslib", "cryptography", "tarfile", "edge_agent.agent.hub.link",
    "edge_agent.agent.hub.updates",
    # sources of other kinds; a device is opened by a process of its own
    "sounddevice", "edge_agent.simulate", "edge_agent.capture.simulated", "edge_agent.capture.replay",
    "edge_agent.capture.network", "numpy.random",
    # clips that are not there yet
    "soundfile",
    # commissioning, of which the page only offers to begin
    "edge_agent.detection.commission", "edge_agent.agent.hearing.offline", "edge_agent.commands.profile_page",
    # what explains a mistake in the configuration
    "difflib",
    # what a library could do for others
    "jinja2", "websockets", "httptools", "uvloop", "rich",
}  # fmt: skip

RUN = """
import sys
from edge_agent import cli
status = cli.main(["run", "--config", sys.argv[1]])
print(*sys.modules)
sys.exit(status)
"""


def test_help_imports_no_command() -> None:
    code = "import sys\nfrom edge_agent import cli\ntry:\n    cli.main(['--help'])\nfinally:\n    print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "usage: edge-agent" in done.stdout
    assert not {"numpy", "pydantic", "edge_agent.daemon"} & set(done.stdout.split())


def test_a_running_agent_has_imported_nothing_that_it_was_not_asked_for(tmp_path: Path) -> None:
    config = tmp_path / "agent.toml"
    config.write_text(
        f'[agent]\nstate_dir = "{tmp_path}/state"\n[model]\nbundle = "{BUNDLE}/"\n[http]\nport = {free_port()}\n'
        f'[mqtt]\nport = {free_port()}\n[[machine]]\nid = "fan_1"\ntype = "fan"\n'
        '[[source]]\nid = "mic_1"\nkind = "microphone"\ndevice = "usb:1-9.9"\n'
        '[[source.channel]]\nmachine = "fan_1"\n'
    )
    said = tmp_path / "log"
    with said.open("w") as log:
        agent = subprocess.Popen([sys.executable, "-c", RUN, config], stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            wait_until(lambda: agent.poll() is not None or "listening to 1 sources" in said.read_text(), timeout_s=60)
            agent.terminate()
            imported = set(agent.communicate(timeout=60)[0].split())
        finally:
            agent.kill()
            agent.wait()
    assert agent.returncode == 0, said.read_text()
    assert {"edge_agent.daemon", "edge_agent.capture.microphone", "edge_agent.web.app"} <= imported
    assert not NOT_ASKED_FOR & imported
