"""Events on disk."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.delivery.errors import DeliveryError, Failure
from edge_agent.delivery.payload_codec import _dictionaries, pack, unpack
from tests.delivery import samples


@given(st.binary(max_size=2000))
def test_whatever_goes_in_comes_out(payload: bytes) -> None:
    assert unpack(pack(payload)) == payload


def test_a_result_takes_a_fifth() -> None:
    payload = samples.result_message("fan_1").payload
    assert len(pack(payload)) < 0.35 * len(
        payload
    )  # the sample is short; real ones take a fifth, see benchmarks/soak/outage


def test_what_older_versions_kept_is_read() -> None:
    assert unpack(b'{"id":"01"}') == b'{"id":"01"}'


def test_dictionaries_never_change() -> None:
    """Rows of files in the field name them by these checksums: add a new file instead."""
    assert [f"{name:08x}" for name in _dictionaries()] == ["c75f85fc"]


@pytest.mark.parametrize(
    "stored",
    [b"", b"x", b"\x78", b"\x78\xbb\x00\x00\x00\x00", zlib.compress(b"{}"), pack(b'{"a":1}' * 50)[:-3]],
    ids=["empty", "letter", "short", "unknown dictionary", "no dictionary", "cut off"],
)
def test_a_damaged_row_is_named(stored: bytes) -> None:
    with pytest.raises(DeliveryError) as caught:
        unpack(stored)
    assert caught.value.failure is Failure.CORRUPT


def test_a_bomb_is_not_unpacked() -> None:
    with pytest.raises(DeliveryError, match="absurdly large"):
        unpack(pack(b"{" + b" " * (20 * 1024 * 1024)))
