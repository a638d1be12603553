"""Items over a socket: the same on the other side; anything else is refused."""

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.commissioning.errors import ListenError
from edge_agent.commissioning.items import Ended, HeardWindow, InAlarm, Level, SourceStatus, TakenOver
from edge_agent.commissioning.wire import MAX_JSON_BYTES, Message, Welcome, read, to_bytes
from tests.detection import simulated, sounds

RECORDING = simulated.heard(np.sin(np.arange(160_000) / 9).astype(np.float32) / 2, "x")


def window(rejected: str | None = None) -> HeardWindow:
    return HeardWindow(5, 0.5, 10.0, 0.9, rejected, sounds.window(1), RECORDING.levels[0])


@pytest.mark.parametrize(
    "item",
    [
        Level(-30.5, -20.0, 3), Level(None, None, 0), SourceStatus("down", "ünplugged"), TakenOver(("a", "b")),
        Ended("bye"), Welcome(source="s", bundle_sha256="0", window_s=10.0), Welcome(refused="no"), InAlarm("pump_1"),
    ],
    ids=repr,
)  # fmt: skip
def test_text_comes_back(item: Message) -> None:
    assert read(io.BytesIO(to_bytes(item))) == item


def test_windows_come_back_to_the_bit() -> None:
    sent = window("low_coverage")
    stream = io.BytesIO(to_bytes(sent) + to_bytes(Ended("x")))
    got = read(stream)
    assert isinstance(got, HeardWindow)
    assert (got.start_ns, got.start_s, got.coverage, got.rejected) == (5, 0.5, 0.9, "low_coverage")
    for name in ("log_mel_db", "embeddings", "logits"):
        assert np.array_equal(getattr(got.features, name), getattr(sent.features, name))
    assert got.features.reconstruction_error == sent.features.reconstruction_error
    assert got.level is not None and sent.level is not None and got.level.rms_dbfs == sent.level.rms_dbfs
    assert read(stream) == Ended("x") and read(stream) is None


WHOLE = to_bytes(window())


@pytest.mark.parametrize(
    "content",
    [
        WHOLE[:3],
        WHOLE[:-1],
        b"X" + WHOLE[1:],
        struct.pack("!cI", b"J", MAX_JSON_BYTES + 1),
        struct.pack("!cI", b"W", 1 << 31),
        struct.pack("!cI", b"J", 2) + b"{}",
        struct.pack("!cI", b"J", 4) + b"\xff\xfe{}",
        struct.pack("!cI", b"W", 4) + b"PK\3\4",
        struct.pack("!cI", b"J", 33) + b'{"kind":"ended","reason":1,"x":2}',
    ],
    ids=range(9),
)
def test_nonsense_is_refused(content: bytes) -> None:
    with pytest.raises(ListenError):
        read(io.BytesIO(content))


@given(st.binary(max_size=64))
def test_random_bytes_raise_nothing_else(content: bytes) -> None:
    try:
        read(io.BytesIO(content))
    except ListenError:
        pass
