"""kill -9 at any moment, and disks that are really full or read-only."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.clips.books import StoreLimits
from edge_agent.clips.errors import ClipError, Failure
from edge_agent.clips.reasons import Reason
from edge_agent.clips.store import ClipStore
from tests.clips.samples import ids, sidecar
from tests.clips.writer_child import CLIP_BYTES, CLIPS

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("CLIP_KILLS", "12"))
"""200 in the long form: CLIP_KILLS=200 pytest tests/clips/test_store_faults.py."""


def test_kill_9_at_any_moment_leaves_files_sidecars_and_index_in_step(tmp_path: Path) -> None:
    root, moments, alarms = tmp_path / "clips", random.Random(6), set()
    for run in range(KILLS):
        command = [sys.executable, "-m", "tests.clips.writer_child", str(root), str(run)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            # the first lives last until they promised an alarm's clip, however slow the machine is
            said = [child.stdout.readline()] if run < 4 else []
            time.sleep(moments.uniform(0.0, 0.15))
            child.kill()
            said += child.stdout.read().splitlines()
        alarms |= {line.split()[1] for line in said if line.startswith("alarm ")}
        _check(root)
        kept = {path.stem for path in root.glob("*/*.json")}
        assert alarms <= kept, "an alarm's clip was promised and is gone"
    assert len(alarms) >= 3
    assert len(list(root.glob("*/*.json"))) > 3


def _check(root: Path) -> None:
    store = ClipStore(root, StoreLimits(max_bytes=CLIPS * (CLIP_BYTES + 4096), min_free_bytes=0))
    store.tidy()
    names = {path.name for path in root.glob("*/*")}
    rows = store.rows()
    assert names == {f"{row.id}{suffix}" for row in rows for suffix in (".flac", ".json", ".png")}
    assert list(store.verify()) == []
    assert sum(row.size_bytes for row in rows) <= CLIPS * (CLIP_BYTES + 4096)
    assert store.stats().unreadable == 0
    store.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no right to mount: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["mount", "-o", "remount,rw", str(place)], check=False)
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_refuses_a_clip_and_keeps_those_there_are(small_disk: Path) -> None:
    # the floor is told wrong, so that it is the disk itself that says no
    limits = StoreLimits(max_bytes=1 << 30, min_free_bytes=0)
    store, make = ClipStore(small_disk / "clips", limits, free_bytes=lambda root: 1 << 40), ids()
    kept = []
    with pytest.raises(ClipError) as refused:
        for number in range(100):
            kept.append(store.put(sidecar(next(make), Reason.ALARM), os.urandom(50_000 + number)))
    assert refused.value.failure is Failure.DISK_FULL
    assert 5 < len(kept) < 25
    assert [row.id for row in reversed(store.rows())] == [clip.id for clip in kept]
    assert {path.stem for path in small_disk.glob("clips/*/*")} == {clip.id for clip in kept}
    assert list(store.verify()) == []
    store.delete(kept[0].id)
    store.put(sidecar(next(make), Reason.ALARM), os.urandom(40_000))
    store.close()


def test_a_read_only_disk_is_told_and_is_used_again_once_it_can_be_written(small_disk: Path) -> None:
    limits, make = StoreLimits(max_bytes=1 << 30, min_free_bytes=0), ids()
    store = ClipStore(small_disk / "clips", limits)
    made = store.put(sidecar(next(make)), os.urandom(10_000))
    store.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(ClipError) as refused:
        ClipStore(small_disk / "clips", limits)
    assert refused.value.failure is Failure.READ_ONLY
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    again = ClipStore(small_disk / "clips", limits)
    again.put(sidecar(next(make)), os.urandom(10_000))
    assert made.id in {row.id for row in again.rows()}
    again.close()
