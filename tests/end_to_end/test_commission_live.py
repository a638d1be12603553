"""Commissioning live: from simulated sources, a real microphone and a network stream, with the agent and without."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from edge_agent.commands import commission_live
from edge_agent.commissioning.address import socket_path
from tests.end_to_end.conftest import PUMP, MakeSite, Plant, source
from tests.support.agent import ROOT, Agent, Shell, machine_sound, running, tree, write_config
from tests.support.broker import free_port, wait_until
from tests.support.pulse import PulseServer, missing_parts

pytestmark = pytest.mark.end_to_end

MACHINE = '[[machine]]\nid = "press"\ntype = "generic"\n'
CHANNEL = '[[source.channel]]\nmachine = "press"\n'
SIMULATED = f'[[source]]\nid = "s"\nkind = "simulated"\nspeed = {{speed}}\n{CHANNEL}'

MakeConfig = Callable[[str], Path]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def make_config(tmp_path: Path, state: Path) -> MakeConfig:
    def make(source: str) -> Path:
        port = free_port()
        (tmp_path / "port").write_text(str(port))
        return write_config(
            tmp_path / "agent.toml", state_dir=state, mqtt_port=None, http_port=port, body=MACHINE + source
        )

    return make


@contextmanager
def agent_of(config: Path) -> Iterator[Agent]:
    directory = config.parent
    with running(config, int((directory / "port").read_text()), directory / "agent.log") as agent:
        agent.wait_ready()
        yield agent


def commission(shell: Shell, config: Path, minutes: float, *more: str) -> tuple[int, str, str]:
    done = shell("commission", "--machine", "press", "--config", config, "--minutes", str(minutes), *more)
    return done.status, done.out, done.err


@pytest.fixture
def shell(capfd: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capfd)


def test_without_an_agent_the_source_is_opened(shell: Shell, make_config: MakeConfig, state: Path) -> None:
    status, out, err = commission(shell, make_config(SIMULATED.format(speed=200)), 10)
    assert status == 0, err
    assert "directly, as no agent runs here" in err and "a provisional profile can be learnt" in err
    assert "1:00 of 10:00, 6 windows" in err and "dBFS peak" in err
    assert "learnt from 60 windows of 20 recordings\n" in out
    assert [name.split("/")[0] for name in tree(state)] == ["profiles"] * 2


def test_a_running_agent_goes_on_listening_and_takes_the_profile_up(
    shell: Shell, make_config: MakeConfig, state: Path
) -> None:
    config = make_config(SIMULATED.format(speed=20))
    with agent_of(config) as agent:
        wait_until(lambda: socket_path(state).exists(), 10, "the agent's socket")
        status, out, err = commission(shell, config, 1, "--state", "load")
        assert status == 0, err
        assert "through the running agent" in err and "the running agent uses it from now on" in err
        assert "operating states: load" in out
        assert "profiles of press taken over from the disk" in (config.parent / "agent.log").read_text()
        scored = 'edge_agent_samples_scored_total{channel="0",source="s"} '
        wait_until(lambda: _value(agent, scored) > 0, 20, "windows of the commissioned machine scored")
        lost = _value(agent, 'edge_agent_samples_lost_total{channel="0",source="s"')
        assert lost in (0.0, -1.0)
        shell("profiles", "remove", "press", "--state-dir", state)
        wait_until(
            lambda: (config.parent / "agent.log").read_text().count("taken over from the disk") == 2, 15, "removal"
        )
        assert agent.stop() == 0
    assert "Traceback" not in (config.parent / "agent.log").read_text()
    assert not socket_path(state).exists()


def test_nothing_is_learnt_of_a_machine_that_goes_into_alarm(shell: Shell, plant: Plant, make_site: MakeSite) -> None:
    site = make_site(PUMP + source("film", "pump_1", plant.film, 20.0, loop=True), None)
    before = tree(site.state / "profiles")
    with running(site.config, site.http_port, site.log) as agent:
        agent.wait_ready()
        done = shell("commission", "--machine", "pump_1", "--config", site.config, "--minutes", "600")
        assert done.status == 1 and "pump_1 is in alarm" in done.err
        assert agent.stop() == 0
    assert tree(site.state / "profiles") == before


def _value(agent: Agent, prefix: str) -> float:
    _, text = agent.get("/metrics")
    return (
        sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(prefix))
        if prefix in text
        else -1.0
    )


@pytest.mark.parametrize("with_agent", [True, False], ids=["through the agent", "directly"])
def test_ctrl_c_leaves_nothing_behind(make_config: MakeConfig, state: Path, tmp_path: Path, with_agent: bool) -> None:
    config = make_config(SIMULATED.format(speed=20))
    command = [sys.executable, "-m", "edge_agent", "commission", "--machine", "press", "--config", str(config)]

    def interrupt() -> None:
        with (tmp_path / "err").open("wb") as err:
            process = subprocess.Popen([*command, "--minutes", "30"], stderr=err, stdout=err, cwd=ROOT)
            wait_until(lambda: b"2:00 of 30:00" in (tmp_path / "err").read_bytes(), 60, "two minutes heard")
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 130
        said = (tmp_path / "err").read_text()
        assert "stopped: nothing was kept, press has no profile" in said and "Traceback" not in said
        assert not (state / "profiles").exists()

    if not with_agent:
        interrupt()
        return
    with agent_of(config) as agent:
        wait_until(lambda: socket_path(state).exists(), 10, "the agent's socket")
        interrupt()
        assert agent.get("/livez")[0] == 200
        assert "listens no more" in _eventually(config.parent / "agent.log", "listens no more")


def _eventually(path: Path, words: str) -> str:
    wait_until(lambda: words in path.read_text(), 15, words)
    return path.read_text()


def test_a_source_that_gives_nothing_is_not_waited_for(
    shell: Shell, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commission_live, "NOTHING_WITHIN_S", 1.5)
    stream = f'[[source]]\nid = "s"\nkind = "stream"\nurl = "tcp://127.0.0.1:{free_port()}"\nrate_hz = 16000\n{CHANNEL}'
    status, _, err = commission(shell, make_config(stream), 1)
    assert status == 1
    assert "source: down: " in err and "the source gave nothing for 2 s: " in err and "refused" in err


def test_a_machine_that_nobody_hears_is_refused(shell: Shell, make_config: MakeConfig) -> None:
    config = make_config(SIMULATED.format(speed=1))
    done = shell("commission", "--machine", "other", "--config", config, "--minutes", "1")
    assert (done.status, "no channel of the configuration hears machine 'other'" in done.err) == (1, True)


def test_a_network_stream_is_learnt(shell: Shell, make_config: MakeConfig) -> None:
    with sending(machine_sound(40.0)) as port:
        stream = f'[[source]]\nid = "s"\nkind = "stream"\nurl = "tcp://127.0.0.1:{port}"\nrate_hz = 16000\n{CHANNEL}'
        status, out, err = commission(shell, make_config(stream), 0.5)
    assert status == 0, err
    assert re.search("learnt from [34] windows", out)  # a sender that is late leaves gaps, and those are made up for


@contextmanager
def sending(samples: npt.NDArray[np.float32]) -> Iterator[int]:
    """A sender of 16-bit PCM in real time on a port of its own, for whoever connects first."""
    listening = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def send() -> None:
        connection, _ = listening.accept()
        with connection:
            for block in np.array_split((samples * 32_767).astype("<i2"), len(samples) // 1_600):
                try:
                    connection.sendall(block.tobytes())
                except OSError:
                    return
                if ended.wait(0.1):
                    return

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        ended.set()
        thread.join()
        listening.close()


@pytest.mark.skipif(bool(missing_parts()) and os.environ.get("CI") != "true", reason=f"for want of: {missing_parts()}")
@pytest.mark.timeout(180)
def test_a_real_microphone_that_the_agent_holds_is_learnt_through_it(
    shell: Shell, make_config: MakeConfig, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("p")
    server = PulseServer(directory, ("mic",))
    server.start()
    try:
        microphone = f'[[source]]\nid = "s"\nkind = "microphone"\ndevice = "{server.token("mic")}"\nrate_hz = 16000\n'
        config = make_config(microphone + CHANNEL)
        with agent_of(config):
            with server.playing("mic", machine_sound(120.0)):
                status, out, err = commission(shell, config, 0.5)
            assert status == 0, err
            assert "through the running agent" in err and "the running agent uses it from now on" in err
            assert "learnt from 3 windows" in out
    finally:
        server.stop()
