"""A file on its way in is what was sent, however it was cut, and never lies in memory as a whole."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest

from edge_agent.sync.wire import MAX_CLIP_BYTES
from training_hub.intake.errors import IntakeError, Refused
from training_hub.intake.incoming import HELD_BYTES, Incoming
from training_hub.storage.errors import StorageError


@pytest.mark.parametrize("most", [7_000, 90_000, 2_000_000])
def test_it_is_written_as_it_came(tmp_path: Path, most: int) -> None:
    draw = random.Random(most)
    content = draw.randbytes(3_000_000)
    incoming, place, written = Incoming(tmp_path / "file"), 0, 0
    while place < len(content):
        chunk = content[place : place + draw.randrange(1, most)]
        place += len(chunk)
        if incoming.add(chunk):
            incoming.write()
            written = place
        assert place - written < HELD_BYTES
    incoming.write()
    incoming.check(hashlib.sha256(content).hexdigest())
    assert (tmp_path / "file").read_bytes() == content
    assert incoming.size_bytes == len(content)
    with pytest.raises(IntakeError, match="send it again") as caught:
        incoming.check("0" * 64)
    assert caught.value.why is Refused.INVALID


def test_too_much_is_refused_before_it_is_held(tmp_path: Path) -> None:
    incoming, chunk = Incoming(tmp_path / "file"), bytes(1 << 20)
    with pytest.raises(IntakeError) as caught:
        for _ in range(MAX_CLIP_BYTES // len(chunk) + 1):
            if incoming.add(chunk):
                incoming.write()
    assert caught.value.why is Refused.TOO_LARGE


def test_nothing_sent_is_an_empty_file(tmp_path: Path) -> None:
    incoming = Incoming(tmp_path / "file")
    incoming.write()
    incoming.check(hashlib.sha256(b"").hexdigest())
    assert (tmp_path / "file").read_bytes() == b""


def test_a_disk_that_takes_no_more_is_the_hubs_fault() -> None:
    incoming = Incoming(Path("/dev/full"))
    incoming.add(b"content")
    with pytest.raises(StorageError, match="No space left"):
        incoming.write()
