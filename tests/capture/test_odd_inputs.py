"""What senders and devices do that no manual foresees: each ends in a state with a name, and in books that balance."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat

import numpy as np
import pytest

from edge_agent.agent.hearing.booked import BookedChannel
from edge_agent.capture.errors import SourceError
from edge_agent.capture.ledger import LedgerSnapshot, SampleLedger
from edge_agent.capture.microphone import Stamper
from edge_agent.capture.network import NetworkSource
from edge_agent.capture.pace import RateMeter
from edge_agent.capture.raw_stream import DeviceSettings
from edge_agent.capture.reasons import Lost, Skipped
from edge_agent.capture.ring import RawBlock
from edge_agent.capture.sample_format import SampleFormat
from edge_agent.pipeline.window import WindowShape
from edge_agent.signal.settings import SignalSettings

RATE_HZ = 16_000
NS_PER_S = 1_000_000_000
Script = Iterator[tuple[float, bytes]]


def noise(samples: int) -> bytes:
    return (np.random.default_rng(samples).standard_normal(samples) * 3000).astype("<i2").tobytes()


def steady(seconds: float, *, rate_hz: float = RATE_HZ, every_s: float = 0.1) -> Script:
    """So many seconds of sound at a true rate, in pieces."""
    given = 0
    for piece in range(1, round(seconds / every_s) + 1):
        upto = round(piece * every_s * rate_hz)
        yield every_s, bytes(2 * (upto - given))
        given = upto


def chain(*scripts: Script) -> Script:
    for script in scripts:
        yield from script


class ScriptedInput:
    """Gives what a script says, on a clock that the script moves; then the sender hangs up."""

    def __init__(self, script: Script, sample_format: SampleFormat = SampleFormat.S16LE) -> None:
        self.sample_format = sample_format
        self.now_ns = 0
        self._script = script
        self._always_ready, other = os.pipe()
        os.close(other)

    @property
    def descriptors(self) -> tuple[int, ...]:
        return (self._always_ready,)

    def receive(self, descriptor: int) -> bytes:
        try:
            passed_s, data = next(self._script)
        except StopIteration:
            raise SourceError("the sender hung up") from None
        self.now_ns += round(passed_s * NS_PER_S)
        return data

    def close(self) -> None:
        os.close(self._always_ready)


@dataclass(frozen=True)
class Told:
    """How it ended, and the books."""

    error: str
    reason: Lost
    books: LedgerSnapshot
    passed_s: float


def listen(script: Script, sample_format: SampleFormat = SampleFormat.S16LE, channels: int = 1) -> Told:
    stream = ScriptedInput(script, sample_format)
    source = NetworkSource(
        "yard", rate_hz=RATE_HZ, channels=channels, open_input=lambda: stream, monotonic_ns=lambda: stream.now_ns
    )
    ledger = SampleLedger("yard", 0)
    booked = BookedChannel(SignalSettings(), WindowShape(), RATE_HZ, ledger)
    try:
        for block in source.blocks():
            booked.push(block.samples[:, 0], block.first_sample, block.gap_reason)
            assert ledger.snapshot().balance == 0
    except SourceError as error:
        return Told(str(error), error.reason, booked.close(Skipped.TAIL), stream.now_ns / NS_PER_S)
    raise AssertionError("every script ends with the sender hanging up")


@pytest.mark.parametrize(
    ("script", "lost_s", "slack_s"),
    [
        (lambda: steady(120, rate_hz=RATE_HZ * (1 + 200e-6)), 0.0, 0.0),
        (lambda: steady(120, rate_hz=RATE_HZ * (1 - 200e-6)), 0.0, 0.0),
        (lambda: steady(60, every_s=1.0), 0.0, 0.0),
        (lambda: steady(60, every_s=5.0), 0.0, 0.0),
        (lambda: chain(steady(30), iter([(8.0, bytes(2 * 8 * RATE_HZ))]), steady(30)), 0.0, 0.0),
        (lambda: chain(iter([(0.1, bytes(2 * 30 * RATE_HZ))]), steady(30)), 0.0, 0.0),
        (lambda: chain(steady(30), iter([(3.0, b"")]), steady(60)), 3.0, 0.2),
        (lambda: steady(80, rate_hz=RATE_HZ / 2), 30.0, 6.0),
    ],
    ids=[
        "200 ppm fast", "200 ppm slow", "bursts of a second", "bursts of five", "late by 8 s and all there",
        "a backlog at the start", "3 s lost on the way", "half of it lost",
    ],
)  # fmt: skip
def test_what_is_lost_is_booked_and_what_is_late_is_not(
    script: Callable[[], Script], lost_s: float, slack_s: float
) -> None:
    told = listen(script())
    assert told.error == "the sender hung up", "nothing else was found wrong"
    assert told.books.lost[Lost.GAP] / RATE_HZ == pytest.approx(lost_s, abs=slack_s)
    assert sum(told.books.lost.values()) == told.books.lost[Lost.GAP]
    assert told.books.balance == told.books.pending == 0


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (lambda: steady(60, rate_hz=48_000), "about 4[78]\\d\\d\\d samples"),
        (lambda: steady(60, rate_hz=32_000), "about 3[12]\\d\\d\\d samples"),
        (lambda: steady(120, rate_hz=17_000), "about 1[67]\\d\\d\\d samples"),
        (lambda: chain(steady(30), steady(60, rate_hz=48_000)), "samples a second"),
    ],
    ids=["three times", "two channels for one", "a little too fast", "changed while it ran"],
)
def test_a_wrong_rate_is_told_with_the_keys_to_correct(script: Callable[[], Script], says: str) -> None:
    told = listen(script())
    assert "correct rate_hz, channels or format" in told.error
    assert re.search(says, told.error), told.error
    assert told.books.balance == told.books.pending == 0


def test_bytes_that_are_no_samples_are_skipped_and_counted() -> None:
    garbage = np.random.default_rng(0).bytes(4 * RATE_HZ * 3)
    pieces = (garbage[k : k + 6_400] for k in range(0, len(garbage), 6_400))
    told = listen(zip(repeat(0.1), pieces), SampleFormat.F32LE)
    assert told.books.skipped[Skipped.INVALID_SAMPLE] == told.books.captured == 3 * RATE_HZ


def test_a_frame_that_is_cut_in_two_is_put_together_or_left_out() -> None:
    data = noise(2 * RATE_HZ)[:-3]  # two channels of 16 bits; the last frame lacks three bytes
    pieces = [data[k : k + 997] for k in range(0, len(data), 997)]
    told = listen(((0.5 / len(pieces), piece) for piece in pieces), channels=2)
    assert told.books.captured == RATE_HZ - 1
    assert told.books.lost[Lost.GAP] == 0


def test_a_device_that_runs_at_another_rate_than_it_was_asked_to_is_told() -> None:
    stamper = Stamper(DeviceSettings("hw:CARD=Odd,DEV=0", RATE_HZ))
    says = "'hw:CARD=Odd,DEV=0' gives about 4[34]... samples a second, not 16000"
    with pytest.raises(SourceError, match=says) as told:
        for k in range(2_000):
            read_ns = k * NS_PER_S * 1_600 // 44_100
            stamper.stamp(RawBlock(bytes(6_400), k * 1_600, 1_600, read_ns, 0, overflowed=False))
    assert told.value.hold_s > 10, "nobody mends it within seconds"


@pytest.mark.parametrize("ppm", [-1000, -200, -20, 0, 20, 200, 1000])
def test_a_crystal_is_never_taken_for_another_rate(ppm: int) -> None:
    meter = RateMeter(48_000)
    given_in_s = 48_000 * (1 + ppm * 1e-6)
    assert all(meter.observe(round(second * given_in_s), second * NS_PER_S) is None for second in range(1, 86_400, 7))
