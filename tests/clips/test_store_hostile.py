"""What others put into the store's directory: nothing of it hangs, leads elsewhere, harms a clip or ends the store."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_agent.clips import files
from edge_agent.clips.books import StoreLimits
from edge_agent.clips.errors import ClipError
from edge_agent.clips.reasons import Reason
from edge_agent.clips.sidecar import Sidecar, parse_sidecar
from edge_agent.clips.store import ClipStore
from tests.clips.samples import START_NS, sidecar

VICTIM = "01HF7YAT000000000000000000"
STRANGER = "01HF7YAT00AAAAAAAAAAAAAAAA"


def store_of(root: Path, **limits: Any) -> ClipStore:  # noqa: ANN401  (passed on)
    return ClipStore(root / "clips", StoreLimits(**({"max_bytes": 1 << 20, "min_free_bytes": 0} | limits)))


def dropped_in(day: Path, content: bytes | None) -> Path:
    """A sidecar, and a file that goes with it, as somebody else wrote them."""
    (day / f"{STRANGER}.flac").write_bytes(b"sound")
    path = day / f"{STRANGER}.json"
    if content is not None:
        path.write_bytes(content)
    return path


def json_of(**changes: object) -> bytes:
    return json.dumps(json.loads(sidecar(STRANGER).to_bytes()) | changes).encode()


def _names_another(day: Path) -> None:
    dropped_in(day, json_of(id=VICTIM, sound=json.loads(json_of())["sound"] | {"kind": "log_mel"}))


def _claims_to_be_another(day: Path) -> None:
    dropped_in(day, json_of(id=VICTIM))  # which is not pinned by its word


def _huge(key: str, value: int) -> Callable[[Path], None]:
    return lambda day: void(dropped_in(day, json_of(**{key: value})))


def _fifo(day: Path) -> None:
    os.mkfifo(dropped_in(day, None))


def _link(to: str) -> Callable[[Path], None]:
    return lambda day: dropped_in(day, None).symlink_to(to)


def _sound_is_a_fifo(day: Path) -> None:
    dropped_in(day, json_of())
    (day / f"{STRANGER}.flac").unlink()
    os.mkfifo(day / f"{STRANGER}.flac")


def _in_another_day(day: Path) -> None:
    other = day.with_name("2020-01-01")
    other.mkdir()
    dropped_in(other, json_of())


def _linked_day(day: Path) -> None:
    elsewhere = day.parent.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / f"{STRANGER}.flac").write_bytes(b"no orphan of ours")
    day.with_name("2020-01-01").symlink_to(elsewhere)


def void(_: object) -> None:
    """Nothing comes of it."""


HOSTILE: dict[str, Callable[[Path], None]] = {
    "a sidecar that names another clip": _names_another,
    "a sidecar that claims to be another clip's": _claims_to_be_another,
    "a size beyond all numbers": _huge("size_bytes", 1 << 70),
    "a picture beyond all numbers": _huge("picture_bytes", 1 << 70),
    "a time beyond all calendars": _huge("window_start_ns", 1 << 70),
    "a size that would take the whole quota": _huge("size_bytes", 1 << 40),
    "a sidecar that is a FIFO": _fifo,
    "a sidecar that is a link to nowhere": _link("/nowhere"),
    "a sidecar that is a link to an endless file": _link("/dev/zero"),
    "a sidecar that is a directory": lambda day: dropped_in(day, None).mkdir(),
    "a sidecar that is no JSON": lambda day: void(dropped_in(day, b"\xff\x00{")),
    "a sidecar of a hundred thousand brackets": lambda day: void(dropped_in(day, b"[" * 60_000)),
    "a sidecar without end": lambda day: void(dropped_in(day, b" " * (1 << 20))),
    "a machine that leads elsewhere": lambda day: void(dropped_in(day, json_of(machine="../../etc"))),
    "sound that is a FIFO": _sound_is_a_fifo,
    "a clip in another day's directory": _in_another_day,
    "a day that is a link": _linked_day,
}


@pytest.mark.parametrize("name", list(HOSTILE))
@pytest.mark.timeout(60)
def test_what_others_drop_harms_no_clip(tmp_path: Path, name: str) -> None:
    store = store_of(tmp_path)
    victim = store.put(sidecar(VICTIM, pinned=True), b"sound")
    store.close()
    HOSTILE[name](tmp_path / "clips" / files.day_of(VICTIM))
    for _ in range(2):  # what the first start made of it must not trouble the second
        again = store_of(tmp_path)
        again.tidy()
        assert again.find(VICTIM) == victim
        assert {row.id: row.pinned for row in again.rows()}[VICTIM]
        assert sum(size for _, _, size in again.stats().clips) < 20_000
        assert [flaw for clip, flaw in again.verify() if clip == VICTIM] == []
        again.put(sidecar("01HF7YAT00BBBBBBBBBBBBBBBB", Reason.ALARM), b"more sound")
        again.delete("01HF7YAT00BBBBBBBBBBBBBBBB")
        again.close()
    assert not (tmp_path / "elsewhere").exists() or list((tmp_path / "elsewhere").iterdir())


def test_a_sidecar_that_cannot_be_read_is_counted_and_left_for_a_person(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    store.put(sidecar(VICTIM), b"sound")
    path = dropped_in(tmp_path / "clips" / files.day_of(VICTIM), b"{}")
    store.tidy()
    assert store.stats().unreadable == 1 and path.exists()
    with pytest.raises(ClipError, match="restore its sidecar"):
        store.find(STRANGER)
    store.close()


@pytest.mark.parametrize("key", ["size_bytes", "picture_bytes", "window_start_ns"])
def test_no_number_is_larger_than_the_index_can_hold(key: str) -> None:
    with pytest.raises(ClipError, match=key):
        parse_sidecar(json_of(**{key: 1 << 63}), name="x.json")


def test_a_file_that_grew_is_found_without_reading_it_all(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    made: Sidecar = store.put(sidecar(VICTIM, start_ns=START_NS), b"sound")
    os.truncate(store.payload_path(made), 1 << 40)  # sparse: reading it would take all memory there is
    ((clip, flaw),) = store.verify()
    assert clip == VICTIM and str(1 << 40) in flaw
    store.close()
