"""A command that listens in on an agent, over a real socket."""

import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from edge_agent.capture.block_queue import Arrival
from edge_agent.capture.source import Block
from edge_agent.commissioning.address import connected, socket_path
from edge_agent.commissioning.client import AgentChannel
from edge_agent.commissioning.errors import ListenError
from edge_agent.commissioning.items import Ended, Level, SourceStatus, TakenOver
from edge_agent.commissioning.server import MAX_LISTENERS, TapServer
from edge_agent.commissioning.tap import Taps
from edge_agent.commissioning.wire import Welcome, read

BUNDLE = "a" * 64


class Rig:
    """A server with one machine, `pump`, on channel 1 of the source `mic`."""

    def __init__(self, state: Path) -> None:
        self.path = socket_path(state)
        self.taps = Taps()
        self.status = SourceStatus("up", "")
        self.in_alarm: set[str] = set()
        self.server = TapServer(
            self.path,
            self.taps,
            channel_of=self._channel_of,
            status_of=lambda source: self.status,
            in_alarm=lambda machine: machine in self.in_alarm,
            bundle_sha256=BUNDLE,
            window_s=10.0,
        )
        self.server.start()

    def _channel_of(self, machine: str) -> tuple[str, int]:
        if machine != "pump":
            raise ListenError(f"nobody hears {machine}")
        return "mic", 1

    def listen(self, machine: str = "pump", bundle: str = BUNDLE) -> AgentChannel:
        channel = AgentChannel.find(self.path, machine, bundle)
        assert channel is not None
        return channel

    def sound(self, amplitude: float, source: str = "mic") -> None:
        samples = np.full((8_000, 2), [0.5, amplitude], np.float32)
        self.taps.arrival(Arrival(source, 16_000, Block(samples, 0), 0))


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.server.stop()


def test_a_listener_hears_its_channel_and_no_other(rig: Rig) -> None:
    with rig.listen() as channel:
        items = channel.items()
        assert next(items) == SourceStatus("up", "")
        rig.sound(0.9, source="other")
        rig.sound(0.1)
        assert next(items) == Level(-20.0, -20.0, 0)
        rig.taps.taken_over(["pump"])
        assert next(items) == TakenOver(("pump",))
        rig.taps.arrival(Arrival("mic", 16_000, None, 0))
        assert next(items) == Ended("the source ended")


def test_the_source_s_state_comes_again_and_again(rig: Rig) -> None:
    with rig.listen() as channel:
        items = channel.items()
        assert next(items) == SourceStatus("up", "")
        rig.status = SourceStatus("down", "unplugged")
        assert next(items) == SourceStatus("down", "unplugged")


def test_nobody_learns_from_a_machine_in_alarm(rig: Rig) -> None:
    with rig.listen() as channel:
        items = channel.items()
        next(items)
        rig.sound(0.1)
        assert isinstance(next(items), Level)
        rig.in_alarm.add("pump")
        rig.sound(0.1)
        with pytest.raises(ListenError, match=r"pump is in alarm: .* nothing was kept"):
            list(islice(items, 4))  # without it the source's state would come for ever
    with pytest.raises(ListenError, match="refuses: pump is in alarm"):
        rig.listen()


def test_only_this_user_reaches_the_socket(rig: Rig) -> None:
    assert stat.S_IMODE(rig.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(rig.path.parent.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_is_refused_even_where_the_file_s_rights_let_him_in(rig: Rig) -> None:
    for path in (rig.path, *rig.path.parents[:2]):
        path.chmod(0o777)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # nothing but system calls and the socket: then gone, without pytest's clean-up
        try:
            directory = os.open(rig.path.parent, os.O_RDONLY)
            os.setresuid(65_534, 65_534, 65_534)
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(f"/proc/self/fd/{directory}/{rig.path.name}")
            with suppress(BrokenPipeError):  # refused before it was asked
                connection.sendall(b'{"machine":"pump"}\n')
            os.write(writer, connection.recv(4096))
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader, "rb") as stream:
        answer = read(stream)
    assert isinstance(answer, Welcome) and "only root and the agent's own user" in answer.refused


@pytest.mark.parametrize(
    ("machine", "bundle", "message"),
    [("fan", BUNDLE, "refuses: nobody hears fan"), ("pump", "b" * 64, "uses another bundle")],
)
def test_refusals(rig: Rig, machine: str, bundle: str, message: str) -> None:
    with pytest.raises(ListenError, match=message):
        rig.listen(machine, bundle)


@pytest.mark.parametrize("request_", [b"\n", b"x" * 5000, b'{"machine":"../x"}\n', b'{"machine":"pump","version":2}\n'])
def test_requests_that_are_none_are_refused(rig: Rig, request_: bytes) -> None:
    connection = connected(rig.path, 5.0)
    assert connection is not None
    with connection, connection.makefile("rb") as stream:
        connection.sendall(request_)
        answer = read(stream)
        assert isinstance(answer, Welcome) and "cannot be read" in answer.refused


def test_there_are_few_places_and_they_become_free(rig: Rig) -> None:
    with ExitStack() as stack:
        for _ in range(MAX_LISTENERS):
            stack.enter_context(rig.listen())
        with pytest.raises(ListenError, match="4 commands listen in already"):
            rig.listen()
    until_s = time.monotonic() + 10
    while True:
        try:
            rig.listen().__exit__(None, None, None)
            break
        except ListenError:
            assert time.monotonic() < until_s
            time.sleep(0.05)


def test_who_reads_too_slowly_is_sent_away_and_the_scorer_never_waits() -> None:
    taps = Taps()
    tap = taps.open("mic", 0)
    begun_s = time.monotonic()
    for _ in range(1_000):
        taps.taken_over(["pump"])
    assert time.monotonic() - begun_s < 1.0
    items = [tap.take(0.0) for _ in range(257)]
    assert items[255] == TakenOver(("pump",)) and items[256] == Ended("the listener fell behind; start again")


def test_an_agent_that_stops_says_so_and_leaves_no_socket(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    with rig.listen() as channel:
        items = channel.items()
        next(items)
        stopper = threading.Thread(target=rig.server.stop)
        stopper.start()
        assert next(item for item in items if not isinstance(item, SourceStatus)) == Ended("the agent stops")
        stopper.join()
    assert not rig.path.exists()
    assert AgentChannel.find(rig.path, "pump", BUNDLE) is None


def test_a_socket_left_by_a_killed_agent_is_taken_over_and_a_living_one_s_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = socket_path(tmp_path)
    path.parent.mkdir()
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    rig = Rig(tmp_path)
    with rig.listen():
        Rig(tmp_path)
        assert "another agent uses this state directory" in caplog.text
        rig.listen().__exit__(None, None, None)
    rig.server.stop()


def test_a_state_directory_with_a_long_name_works(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    rig = Rig(deep)
    with rig.listen() as channel:
        assert next(channel.items()) == SourceStatus("up", "")
    rig.server.stop()
