"""kill -9 before each single thing that happens to a file: no half clip is ever listed, and nothing stays behind."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.clips import files
from edge_agent.clips.books import StoreLimits
from edge_agent.clips.store import ClipStore
from edge_agent.durable import is_temporary


def _check(root: Path, said: list[list[str]]) -> None:
    kept = {words[1]: words[2] for words in said if words[0] == "kept"}
    gone = {words[1] for words in said if words[0] == "gone"}
    pinned = {words[1] for words in said if words[0] == "pinned"}
    listed_by_another = ClipStore(root, StoreLimits(1 << 30, 0))  # a command, before the agent starts again
    for row in listed_by_another.rows():
        if listed_by_another._shelf.changed_ns(row.id) is not None:
            assert listed_by_another._shelf.flaw(listed_by_another.find(row.id)) is None
    listed_by_another.close()
    store = ClipStore(root, StoreLimits(1 << 30, 0))
    store.tidy()
    rows = {row.id: row for row in store.rows()}
    assert list(store.verify()) == []
    assert not gone & rows.keys()
    assert {clip for clip, reason in kept.items() if reason == "alarm"} <= rows.keys(), "an alarm was lost"
    assert all(rows[clip].pinned for clip in pinned & rows.keys())
    on_disk = {path.name for path in root.glob("*/*")}
    assert not [name for name in on_disk if is_temporary(name)]
    assert {files.PAYLOADS["audio"], files.SIDECAR, files.PICTURE} >= {Path(name).suffix for name in on_disk}
    assert on_disk == {f"{clip}{suffix}" for clip in rows for suffix in (".flac", ".json", ".png")}
    store.close()


@pytest.fixture
def fast(tmp_path: Path) -> Iterator[Path]:
    """A file system in memory, where there is one: a killed process leaves the same on any, and this one is fast."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as made:
        yield Path(made)


def test_killed_at_every_step_it_leaves_whole_clips_and_nothing_else(fast: Path) -> None:
    subprocess.run([sys.executable, "-m", "tests.clips.killed_child", str(fast)], check=True, timeout=300)
    runs = sorted(fast.iterdir(), key=lambda path: int(path.name))
    assert len(runs) > 50
    for run in runs:
        if (run / "clips").is_dir():
            _check(run / "clips", [line.split() for line in (run / "said").read_text().splitlines()])
