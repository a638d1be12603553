"""Kill -9 within uploads, cut lines, a hub that comes and goes: nothing lost, nothing counted as sent too early."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.sync.journal import JournalLimits, SentJournal
from tests.delivery.samples import alarm_message, result_message
from tests.faults.sync_chaos import run

pytestmark = pytest.mark.end_to_end


@pytest.mark.parametrize("is_real", [False, True], ids=["a hub that keeps the contract", "the hub itself"])
def test_nothing_is_lost_and_nothing_counts_too_early(tmp_path: Path, is_real: bool) -> None:
    outcome = run(tmp_path, kills=3, seed=1, clips=6, is_real=is_real)
    assert (outcome.lost, outcome.early, outcome.altered, outcome.gone) == ((), (), (), ())
    assert outcome.cuts > 0 and outcome.outages > 0
    assert "Traceback" not in (tmp_path / "sync.log").read_text()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    mount = tmp_path / "disk"
    mount.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(mount)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("a full disk needs the right to mount a tmpfs")
    yield mount
    subprocess.run(["umount", "-l", str(mount)], check=True)


def test_a_full_disk_stops_no_publisher_and_is_caught_up(small_disk: Path) -> None:
    journal = SentJournal(small_disk, JournalLimits())
    journal.note(result_message(), 1)
    journal.flush()
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(bytes(4096))
    messages = [result_message() for _ in range(400)] + [alarm_message()]
    for message in messages:
        journal.note(message, 1)
        journal.flush()  # must not raise: it stands between the broker's word and the outbox
    held = journal.stats().held
    assert held > 0
    ballast.unlink()
    journal.maintain(2)
    stats = journal.stats()
    assert (stats.held, stats.waiting, dict(stats.lost)["disk"]) == (0, 402, 0)
    journal.close()


def test_what_memory_cannot_hold_is_counted(tmp_path: Path) -> None:
    (tmp_path / "sent.db").mkdir()  # no file can be opened there
    journal = SentJournal(tmp_path, JournalLimits())
    for _ in range(1010):
        journal.note(result_message(), 1)
    journal.flush()
    assert journal._lost["disk"] == 10
