"""What is sent lies on the disk only while it is used."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from training_hub.sounds.errors import Refusal, SoundError
from training_hub.sounds.upload import clean_name, spooled, sweep


async def _chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def test_a_file_is_hashed_while_it_comes_and_gone_after(tmp_path: Path) -> None:
    async def use() -> Path:
        async with spooled(_chunks(b"ab", b"", b"cd"), name="x/y.wav", directory=tmp_path, max_bytes=4) as upload:
            assert upload.path.read_bytes() == b"abcd"
            assert (upload.sha256, upload.size_bytes) == (hashlib.sha256(b"abcd").hexdigest(), 4)
            assert upload.name == "y.wav"
            return upload.path

    assert not asyncio.run(use()).exists()


@pytest.mark.parametrize(("parts", "refusal"), [((b"abc", b"de"), Refusal.TOO_LARGE), ((), Refusal.DAMAGED)])
def test_too_much_and_nothing_are_refused_and_leave_nothing(
    parts: tuple[bytes, ...], refusal: Refusal, tmp_path: Path
) -> None:
    async def use() -> None:
        async with spooled(_chunks(*parts), name="a", directory=tmp_path, max_bytes=4):
            raise AssertionError("it must not come so far")

    with pytest.raises(SoundError) as caught:
        asyncio.run(use())
    assert caught.value.refusal is refusal
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_swept_later(tmp_path: Path) -> None:
    old, new, other = tmp_path / "upload-old", tmp_path / "upload-new", tmp_path / "other"
    for path in (old, new, other):
        path.write_bytes(b"x")
    for path in (old, other):
        os.utime(path, (0, 0))
    assert sweep(tmp_path) == 1
    assert not old.exists() and new.exists() and other.exists()


def test_names_for_people_hold_nothing_that_acts() -> None:
    for name, shown in (("../a/b.wav", "b.wav"), ("C:\\x\\y.mp3", "y.mp3"), ("\x1b[31m\u202e.wav", "[31m.wav"),
                        ("", "unnamed"), ("\x00", "unnamed"), ("a" * 500, "a" * 200)):  # fmt: skip
        assert clean_name(name) == shown
