"""The examples of docs/hub-api.md run as they stand, with curl, against a hub that listens on a port."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import soundfile
import uvicorn

from tests.support.agent import ROOT
from tests.support.hub import Hub
from tests.support.hub_clips import hum

_PAGE = ROOT / "docs" / "hub-api.md"
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@contextmanager
def _listening(hub: Hub) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(hub.app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 60
        while not server.started:
            assert thread.is_alive() and time.monotonic() < deadline, "the hub does not listen"
            time.sleep(0.02)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)


def test_the_examples_run(hub: Hub, tmp_path: Path) -> None:
    missing = [program for program in ("curl", "jq", "base64") if shutil.which(program) is None]
    if missing:
        assert os.environ.get("CI") != "true", f"CI must run this test: {missing} are missing"
        pytest.skip(f"{missing} are not installed")
    soundfile.write(tmp_path / "normal.wav", hum(45.0, 44_100), 44_100)
    soundfile.write(tmp_path / "fault.flac", hum(6.0, whine_hz=3000.0, seed=5), 16_000)
    script = "set -euo pipefail\n" + "\n".join(_BLOCK.findall(_PAGE.read_text()))
    assert script.count("api ") > 20
    key = hub.script("admin").headers["Authorization"].removeprefix("Bearer ")
    with _listening(hub) as address:
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path,
            env={**os.environ, "HUB": address, "KEY": key},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert '"verdict": "anomalous"' in done.stdout and '"repeated"' not in done.stdout
    assert (tmp_path / "fault.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "clip.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "part.wav").stat().st_size == 1024
    assert (tmp_path / "clips.csv").read_text().startswith("id,sha256,")
    assert (tmp_path / "labels.parquet").read_bytes()[:4] == b"PAR1"
