"""The child, its ring and its end, with a driver that the test plays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest

from edge_agent.capture.cards import SoundCards
from edge_agent.capture.device_process import CHILD_COMMAND, DeviceProcess
from edge_agent.capture.microphone import MicrophoneSource
from edge_agent.capture.raw_stream import DeviceSettings
from edge_agent.capture.reasons import Lost
from edge_agent.capture.source import Block, SourceError

COMMAND = (sys.executable, str(Path(__file__).with_name("scripted_child.py")))
RATE_HZ = 16_000


def scripted(act: str, *, rate_hz: int = RATE_HZ, channels: int = 1, stall_s: float = 0.5) -> MicrophoneSource:
    return MicrophoneSource(
        "press", DeviceSettings(act, rate_hz, channels), command=COMMAND, stall_s=stall_s, open_s=2.0
    )


def collect(source: MicrophoneSource) -> tuple[list[Block], SourceError]:
    blocks = []
    with pytest.raises(SourceError) as caught:
        for block in source.blocks():
            blocks.append(block)
    return blocks, caught.value


@pytest.mark.parametrize(("rate_hz", "channels"), [(8_000, 1), (16_000, 3), (192_000, 2), (44_100, 32), (16_000, 64)])
def test_every_sample_of_every_channel_comes_through(rate_hz: int, channels: int) -> None:
    source = scripted("ramp-999999999", rate_hz=rate_hz, channels=channels, stall_s=5)
    blocks = list(islice(source.blocks(), 4))
    source.close()
    heard = np.concatenate([block.samples for block in blocks])
    assert [block.first_sample for block in blocks] == [k * rate_hz // 10 for k in range(4)]
    np.testing.assert_array_equal(heard, np.arange(len(heard), dtype=np.float32)[:, None].repeat(channels, 1))


def test_fault_comes_after_every_captured_block() -> None:
    blocks, error = collect(scripted("fail-4800"))
    assert [block.first_sample for block in blocks] == [0, 1600, 3200]
    assert "stopped" in str(error)
    assert error.reason is Lost.UNPLUGGED


def test_frozen_device_is_killed_and_told() -> None:
    source = scripted("freeze-3200")
    started_s = time.monotonic()
    blocks, error = collect(source)
    assert len(blocks) == 2
    assert error.reason is Lost.FROZEN
    assert "has given nothing for 0.5 s" in str(error)
    assert time.monotonic() - started_s < 3
    assert source.reader_pid is None


def test_device_that_never_opens_is_frozen() -> None:
    blocks, error = collect(scripted("hang"))
    assert blocks == []
    assert "does not open" in str(error)
    assert error.reason is Lost.FROZEN


@pytest.mark.parametrize(
    ("act", "message"),
    [
        ("absent", "is not there"),
        ("defect", "ZeroDivisionError: oops"),
        ("crash-1600", "died \\(signal 11\\)"),
    ],
)
def test_end_of_the_child_is_an_error_of_the_source_alone(act: str, message: str) -> None:
    _, error = collect(scripted(act))
    assert error.args[0]
    with pytest.raises(SourceError, match=message):
        raise error


def test_noise_of_drivers_is_not_mistaken_for_words() -> None:
    source = scripted("babble-999999999")
    assert next(iter(source.blocks())).first_sample == 0
    source.close()


def test_child_that_cannot_start_leaves_its_last_words() -> None:
    command = (sys.executable, "-c", "import no_such_module")
    source = MicrophoneSource("press", DeviceSettings("x", RATE_HZ), command=command)
    with pytest.raises(SourceError, match=r"died \(status 1\).*no_such_module"):
        next(source.blocks())


def test_missing_interpreter_is_an_error_of_the_source(tmp_path: Path) -> None:
    source = MicrophoneSource("press", DeviceSettings("x", RATE_HZ), command=(str(tmp_path / "none"),))
    with pytest.raises(SourceError, match="cannot be started"):
        next(source.blocks())


def test_block_that_finds_no_room_is_a_gap_of_its_length() -> None:
    source = scripted("ramp-999999999", stall_s=5)
    blocks = source.blocks()
    next(blocks)
    time.sleep(6.5)  # the ring holds 5 s: this is what it is about, and no other clock can be given to another process
    taken = list(islice(blocks, 55))
    source.close()
    positions = [block.first_sample for block in taken]
    jumps = [after - before for before, after in pairwise(positions) if after - before != 1600]
    assert len(jumps) == 1
    assert jumps[0] % 1600 == 0
    assert all(block.samples[0, 0] == block.first_sample for block in taken), "each sample stays at its own place"
    assert {block.gap_reason for block in taken} == {Lost.OVERRUN}


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    def held() -> int:
        return len(os.listdir("/proc/self/fd"))

    collect(scripted("fail-1600"))
    before = held()
    for act in ("fail-1600", "freeze-1600", "crash-1600", "absent"):
        collect(scripted(act))
    source = scripted("ramp-99999999")
    next(source.blocks())
    source.close()
    assert held() == before
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    assert not [pid for pid in children if b"scripted_child" in Path(f"/proc/{pid}/cmdline").read_bytes()]


_PARENT = """
import sys, time
from edge_agent.capture.device_process import DeviceProcess
from edge_agent.capture.raw_stream import DeviceSettings
process = DeviceProcess(DeviceSettings("freeze-1600", 16000), sys.argv[1:])
while not process.opened:
    process.wait(1.0)
print(process.pid, flush=True)
time.sleep(1000)
"""


def test_child_dies_with_its_parent_however_that_dies() -> None:
    with subprocess.Popen([sys.executable, "-c", _PARENT, *COMMAND], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert b"scripted_child" in Path(f"/proc/{child}/cmdline").read_bytes()
        parent.send_signal(signal.SIGKILL)
    deadline_s = time.monotonic() + 5
    while time.monotonic() < deadline_s and _runs(child):
        time.sleep(0.01)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_reader_loads_neither_arrays_nor_ciphers() -> None:
    code = "import edge_agent.capture.device_child, edge_agent.capture.pulse_stream, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "hashlib", "ssl", "pydantic", "asyncio"} & set(done.stdout.split())


def test_closing_before_opening_starts_nothing() -> None:
    source = scripted("ramp-1")
    blocks = source.blocks()
    source.close()
    assert list(blocks) == []


def test_default_command_is_this_interpreter() -> None:
    assert CHILD_COMMAND[0] == sys.executable
    process = DeviceProcess(DeviceSettings("pulse:none@unix:/nonexistent", RATE_HZ))
    deadline_s = time.monotonic() + 10
    with pytest.raises(SourceError, match="no connection to unix:/nonexistent"):
        while time.monotonic() < deadline_s:
            process.wait(0.5)
            process.check()
    process.close()


def test_device_is_looked_for_before_a_process_is_spent(tmp_path: Path) -> None:
    source = MicrophoneSource("press", DeviceSettings("usb:1-1", RATE_HZ), cards=SoundCards(tmp_path, tmp_path))
    with pytest.raises(SourceError, match="is not there"):
        next(source.blocks())
    assert source.reader_pid is None
