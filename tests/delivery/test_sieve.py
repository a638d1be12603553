"""What a broker sends is cut to a bearable size, and passed on untouched where it has one."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.delivery.sieve import KEPT_BYTES, MAX_PROPERTIES_BYTES, Sieve, SieveError
from tests.support.rude_broker import packet, text, variable

PINGRESP = b"\xd0\x00"


def message(payload: bytes, *, qos: int = 1, properties: bytes = b"", topic: str = "a/cmd/b") -> bytes:
    mid = b"\x00\x07" if qos else b""
    return packet(0x30 | qos << 1, text(topic) + mid + variable(len(properties)) + properties + payload)


def user_properties(number: int) -> bytes:
    return b"".join(b"\x26" + text("k") + text("v") for _ in range(number))


SMALL = [
    b"\x20\x03\x00\x00\x00",
    PINGRESP,
    b"\x40\x02\x00\x01",
    b"\x90\x04\x00\x01\x00\x01",
    message(b"{}"),
    message(b"", qos=0),
    message(b"x" * 5000, properties=b"\x08" + text("answers/me") + user_properties(100)),
]


@given(st.lists(st.sampled_from(SMALL), max_size=20), st.lists(st.integers(1, 400), min_size=1))
def test_whatever_is_small_passes_untouched_however_it_arrives(packets: list[bytes], cuts: list[int]) -> None:
    sieve, sent, passed = Sieve(mqtt5=True), b"".join(packets), b""
    place = number = 0
    while place < len(sent):
        size = cuts[number % len(cuts)]
        passed += sieve.feed(sent[place : place + size])
        place, number = place + size, number + 1
    assert passed == sent
    assert not sieve.skipping


@pytest.mark.parametrize("mqtt5", [False, True])
def test_of_a_long_message_the_beginning_is_left_and_what_follows_is_whole(mqtt5: bool) -> None:
    properties = b"\x08" + text("answers/me") if mqtt5 else b""
    long = message(b"x" * 10_000_000, properties=properties)
    sieve, passed = Sieve(mqtt5=mqtt5), b""
    tracemalloc.start()
    for place in range(0, len(long), 65536):
        passed += sieve.feed(long[place : place + 65536])
        assert sieve.skipping == (0 < place < len(long) - 65536)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2_000_000
    passed += sieve.feed(SMALL[2])
    cut = packet(long[0], long[5:][:KEPT_BYTES])  # behind the type and four digits of the length
    assert passed.startswith(cut)
    assert passed.endswith(SMALL[2])
    between = passed[len(cut) : -len(SMALL[2])]
    assert between == PINGRESP * (len(between) // 2)  # the line is alive
    assert len(between) // 2 == (10_000_000 - KEPT_BYTES) // 65536


@pytest.mark.parametrize("number", [5_000, 400_000])
def test_a_message_with_too_many_properties_loses_them_and_is_too_long_to_be_a_command(number: int) -> None:
    sent = message(b"{}", properties=user_properties(number))
    passed = Sieve(mqtt5=True).feed(sent)
    topic_end = 4 + len(text("a/cmd/b")) + 2
    assert passed[4:topic_end] == text("a/cmd/b") + b"\x00\x07"
    assert passed[topic_end] == 0
    assert KEPT_BYTES - 64 < len(passed) < KEPT_BYTES + 64 + (number * 7 // 65536 + 1) * 2


def test_properties_up_to_the_limit_stay() -> None:
    sent = message(b"{}", properties=user_properties(MAX_PROPERTIES_BYTES // 7))
    assert Sieve(mqtt5=True).feed(sent) == sent


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"\xff" * 10, "no end"),
        (message(b"x", qos=2), "QoS 2"),
        (message(b"x", qos=3), "QoS 2"),
        (packet(0x20, b"\x00" * 70_000), "70000 bytes"),
        (packet(0x30, b"\x00"), "cut short"),
        (packet(0x32, b"\x00\x09abc"), "cut short"),
        (packet(0x30, text("t") + b"\xff\xff\xff\xff\x01"), "no end"),
    ],
)
def test_what_is_no_mqtt_is_told(sent: bytes, said: str) -> None:
    with pytest.raises(SieveError, match=said):
        Sieve(mqtt5=True).feed(sent)


@given(st.binary(max_size=300))
def test_no_bytes_do_more_than_be_refused(data: bytes) -> None:
    try:
        Sieve(mqtt5=True).feed(data)
    except SieveError:
        pass
