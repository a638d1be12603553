"""`edge-agent clips` as its user meets it."""

import json
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
