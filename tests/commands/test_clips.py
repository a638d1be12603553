"""`edge-agent clips` as its user meets it."""

import json
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_agent.clips.books import StoreLimits
from edge_agent.clips.encode import flac_bytes
from edge_agent.clips.reasons import Reason
from edge_agent.clips.sidecar import Sidecar
from edge_agent.clips.store import ClipStore
from tests.clips.samples import ids, sidecar
from tests.support.agent import Shell


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[list[Sidecar]]:
    store, make = ClipStore(tmp_path / "clips", StoreLimits(1 << 30, 0)), ids()
    sound = flac_bytes(np.arange(16_000, dtype=np.int16))
    yield [
        store.put(sidecar(next(make), Reason.ALARM, alarm="01HF7YAT00AAAAAAAAAAAAAAAA"), sound, b"\x89PNG"),
        store.put(sidecar(next(make), Reason.RANDOM, machine="fan_2"), sound + b" "),
    ]
    store.close()


def test_list_show_and_play(kept: list[Sidecar], shell: Shell, tmp_path: Path) -> None:
    alarm, random = kept
    listed = shell("clips", "list", "--state-dir", tmp_path)
    assert [line.split()[0] for line in listed.out.splitlines()] == [random.id, alarm.id]
    (row,) = [
        json.loads(line)
        for line in shell("clips", "list", "--machine", "fan_2", "--json", "--state-dir", tmp_path).out.splitlines()
    ]
    assert (row["id"], row["reason"], row["start"]) == (random.id, "random", "2023-11-14T22:13:20.000000Z")
    assert "alarm 01HF7YAT00AAAAAAAAAAAAAAAA" in shell("clips", "show", alarm.id, "--state-dir", tmp_path).out
    shown = json.loads(shell("clips", "show", alarm.id, "--json", "--state-dir", tmp_path).out)
    assert shown["sha256"] == alarm.sha256 and Path(shown["picture"]).is_file()
    assert Path(shell("clips", "play-path", alarm.id, "--state-dir", tmp_path).out.strip()).suffix == ".flac"
    assert shell("clips", "list", "--days", "1", "--state-dir", tmp_path).err == "no such clip\n"


def test_label_pin_export_delete(kept: list[Sidecar], shell: Shell, tmp_path: Path) -> None:
    alarm, random = kept
    assert shell("clips", "label", alarm.id, "bearing", "--operator", "ann", "--state-dir", tmp_path).status == 0
    assert shell("clips", "pin", alarm.id, random.id, "--state-dir", tmp_path).status == 0
    assert shell("clips", "pin", random.id, "--off", "--state-dir", tmp_path).status == 0
    lines = shell("clips", "list", "--state-dir", tmp_path).out.splitlines()
    assert lines[1].endswith("pinned label=bearing") and "pinned" not in lines[0]
    assert "bearing, said ann" in shell("clips", "show", alarm.id, "--state-dir", tmp_path).out
    done = shell("clips", "export", "--reason", "alarm", "--to", tmp_path / "stick", "--state-dir", tmp_path)
    assert done.status == 0
    assert {path.name for path in (tmp_path / "stick").iterdir()} == {
        f"{alarm.id}.flac", f"{alarm.id}.json", f"{alarm.id}.png",
    }  # fmt: skip
    assert shell("clips", "delete", alarm.id, "--state-dir", tmp_path).status == 0
    assert len(shell("clips", "list", "--state-dir", tmp_path).out.splitlines()) == 1


def test_verify_and_stats(kept: list[Sidecar], shell: Shell, tmp_path: Path) -> None:
    assert shell("clips", "verify", "--state-dir", tmp_path).status == 0
    stats = shell("clips", "stats", "--state-dir", tmp_path).out
    assert "alarm            1 clips" in stats and "1 never deleted for room" in stats
    path = Path(shell("clips", "play-path", kept[0].id, "--state-dir", tmp_path).out.strip())
    path.write_bytes(b"other")
    found = shell("clips", "verify", "--json", "--state-dir", tmp_path)
    assert found.status == 1
    assert json.loads(found.out)["clip"] == kept[0].id


@pytest.mark.parametrize(
    "words",
    [
        ("show", "01HF7YAT00AAAAAAAAAAAAAAAA"),
        ("show", "../../etc/passwd"),
        ("delete", "nothing"),
        ("label", "01HF7YAT00AAAAAAAAAAAAAAAA", "x"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(
    kept: list[Sidecar], shell: Shell, tmp_path: Path, words: tuple[str, ...]
) -> None:
    done = shell("clips", words[0], *words[1:], "--state-dir", tmp_path)
    assert done.status == 1
    assert done.err.count("\n") == 1 and "clips list" in done.err


def test_without_a_store_it_says_where_it_looked(shell: Shell, tmp_path: Path) -> None:
    done = shell("clips", "list", "--state-dir", tmp_path / "nowhere")
    assert done.status == 1 and "nowhere" in done.err
    assert not (tmp_path / "nowhere").exists()


def test_clips_whose_index_is_lost_are_listed(kept: list[Sidecar], shell: Shell, tmp_path: Path) -> None:
    for path in (tmp_path / "clips").glob("index.db*"):
        path.unlink()
    assert len(shell("clips", "list", "--state-dir", tmp_path).out.splitlines()) == len(kept)


@pytest.fixture
def small_stick(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB, nearly full, as a stick is mounted."""
    where = tmp_path / "stick"
    where.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", where], check=False).returncode:
        pytest.skip("needs the right to mount")
    yield where
    subprocess.run(["umount", where], check=True)


def test_a_stick_that_is_full_gets_whole_clips_or_none(
    kept: list[Sidecar], shell: Shell, tmp_path: Path, small_stick: Path
) -> None:
    done = shell("clips", "export", "--to", small_stick / "clips", "--state-dir", tmp_path)
    assert (done.status, len(list((small_stick / "clips").glob("*.flac")))) == (0, 2)
    store, big = ClipStore(tmp_path / "clips", StoreLimits(1 << 30, 0)), random.Random(1).randbytes(1 << 20)
    store.put(sidecar("01HF7YAT00ZZZZZZZZZZZZZZZZ"), big)
    store.close()
    done = shell("clips", "export", "--to", small_stick / "clips", "--state-dir", tmp_path)
    assert done.status == 1 and done.err.count("\n") == 1
    assert "No space left" in done.err and "2 of 3 clips are there" in done.err
    assert {path.stem for path in (small_stick / "clips").iterdir()} == {clip.id for clip in kept}


def test_one_clip_that_is_damaged_does_not_keep_the_others_from_an_export(
    kept: list[Sidecar], shell: Shell, tmp_path: Path
) -> None:
    path = Path(shell("clips", "play-path", kept[0].id, "--state-dir", tmp_path).out.strip())
    path.with_suffix(".json").write_bytes(b"{}")
    done = shell("clips", "export", "--to", tmp_path / "stick", "--state-dir", tmp_path)
    assert done.status == 0 and "1 clips in" in done.err and "1 left out" in done.err
    assert {path.stem for path in (tmp_path / "stick").iterdir()} == {kept[1].id}
    assert shell("clips", "export", kept[0].id, "--to", tmp_path / "stick", "--state-dir", tmp_path).status == 1


def test_a_label_cannot_move_the_terminals_cursor(kept: list[Sidecar], shell: Shell, tmp_path: Path) -> None:
    assert shell("clips", "label", kept[0].id, "x\x1b[2Jy\nz", "--state-dir", tmp_path).status == 0
    for words in (("list",), ("show", kept[0].id)):
        out = shell("clips", *words, "--state-dir", tmp_path).out
        assert "\x1b" not in out and "y\nz" not in out


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files that others cannot read")
def test_what_root_says_of_a_clip_belongs_to_the_service(kept: list[Sidecar], shell: Shell, tmp_path: Path) -> None:
    for path in (tmp_path / "clips", *(tmp_path / "clips").rglob("*")):
        os.chown(path, 4321, 4321)
    (tmp_path / "clips/lock").unlink()
    assert shell("clips", "label", kept[0].id, "bearing", "--state-dir", tmp_path).status == 0
    assert {path.stat().st_uid for path in (tmp_path / "clips").rglob("*")} == {4321}
