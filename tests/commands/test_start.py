"""What a plain start imports: an agent pays in time and memory for what it is asked to do, and for nothing else."""

from __future__ import annotations

import ast
import http.client
import re
import subprocess
import sys
from pathlib import Path

import edge_agent
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
    # what only visitors of the page need
    "anyio._backends",
}  # fmt: skip

RUN = """
import sys
import pydantic

reads = pydantic.BaseModel.model_validate_json.__func__

def read(cls, *words, **named):
    if cls.model_config.get("cache_strings") != "none":
        sys.modules[f"a cache of strings for {cls.__name__}".replace(" ", "_")] = None
    return reads(cls, *words, **named)

pydantic.BaseModel.model_validate_json = classmethod(read)
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
    port = free_port()
    config.write_text(
        f'[agent]\nstate_dir = "{tmp_path}/state"\n[model]\nbundle = "{BUNDLE}/"\n[http]\nport = {port}\n'
        f'[mqtt]\nport = {free_port()}\n[[machine]]\nid = "fan_1"\ntype = "fan"\n'
        '[[source]]\nid = "mic_1"\nkind = "microphone"\ndevice = "usb:1-9.9"\n'
        '[[source.channel]]\nmachine = "fan_1"\n'
    )
    said = tmp_path / "log"
    with said.open("w") as log:
        agent = subprocess.Popen([sys.executable, "-c", RUN, config], stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            wait_until(lambda: agent.poll() is not None or "listening to 1 sources" in said.read_text(), timeout_s=60)
            for path in ("metrics", "livez", "readyz", "healthz"):
                assert _asked(port, f"/{path}") in {200, 503}
            agent.terminate()
            imported = set(agent.communicate(timeout=60)[0].split())
        finally:
            agent.kill()
            agent.wait()
    assert agent.returncode == 0, said.read_text()
    assert {"edge_agent.daemon", "edge_agent.capture.microphone", "edge_agent.web.app"} <= imported
    assert not NOT_ASKED_FOR & imported
    assert not [name for name in imported if name.startswith("a_cache_of_strings")]  # a quarter of a megabyte


def test_no_checked_pattern_needs_the_tables_of_unicode() -> None:
    """pydantic's automata of such take 60 to 360 KB each, and a digit of another script would pass for one of ours."""
    patterns = [
        word.value.value
        for path in Path(edge_agent.__file__).parent.rglob("*.py")
        for word in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(word, ast.keyword) and word.arg == "pattern" and isinstance(word.value, ast.Constant)
    ]
    assert len(patterns) > 20
    assert not [pattern for pattern in patterns if re.search(r"\\[dw]|(\\S|\[\^[^]]*\])\{", str(pattern))]


def _asked(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()
