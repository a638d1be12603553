"""Replay: the same bytes in give the same results out, every form of input is taken, every line keeps the schema."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from edge_agent.agent.hearing import offline
from edge_agent.delivery.schema import SCHEMA_DIRECTORY
from edge_agent.signal.logmel import log_mel_db
from edge_agent.simulate import MachineSimulator, MachineType, random_spec
from tests.support.agent import BUNDLE, Done, Shell, machine_sound, write_sound

SCHEMA = Draft202012Validator(json.loads((SCHEMA_DIRECTORY / "result.json").read_text(encoding="utf-8")))

Replay = Callable[..., Done]


@pytest.fixture
def replay(shell: Shell, commissioned: Path) -> Replay:
    def run(*words: str | Path, machine: str | None = "press") -> Done:
        who = ["--machine", machine] if machine else ["--auto"]
        return shell("replay", "--json", *who, *words, "--bundle", BUNDLE, "--state-dir", commissioned)

    return run


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-five seconds of a normal machine and of a whining one."""
    root = tmp_path_factory.mktemp("recordings")
    write_sound(root / "a_normal.wav", machine_sound(25.0, seed=100))
    write_sound(root / "b_whining.flac", machine_sound(25.0, seed=101, whine=0.05))
    return root


def test_a_fault_scores_above_the_threshold_and_every_event_keeps_the_schema(replay: Replay, recordings: Path) -> None:
    done = replay(recordings)
    assert done.status == 0
    for event in done.events:
        SCHEMA.validate(event)
    by_file = {Path(e["data"]["file"]).name: [] for e in done.events}
    for event in done.events:
        by_file[Path(event["data"]["file"]).name].append(event["data"])
    assert [len(rows) for rows in by_file.values()] == [2, 2]  # the last five seconds are a tail
    assert {row["state"] for row in by_file["a_normal.wav"]} == {"normal"}
    assert {row["state"] for row in by_file["b_whining.flac"]} == {"suspect"}
    whine = by_file["b_whining.flac"][0]["anomaly"]["bands"]
    assert max(whine, key=lambda band: band["contribution"])["centre_hz"] == 3150.0
    assert "50.0 s of sound = 40.0 s scored + 10.0 s skipped; 0 refused" in done.err


def test_twice_the_same_but_for_id_and_time(replay: Replay, recordings: Path) -> None:
    first, second = replay(recordings), replay(recordings)
    for one, other in zip(first.out.splitlines(), second.out.splitlines(), strict=True):
        changed = one
        for key in ("id", "time"):
            mine, theirs = json.loads(one)[key], json.loads(other)[key]
            assert mine != theirs
            changed = changed.replace(f'"{key}":"{mine}"', f'"{key}":"{theirs}"')
        assert changed == other
    assert len({event["id"] for event in first.events + second.events}) == 2 * len(first.events)


@pytest.mark.parametrize("block_samples", [1, 160, 160_000])
def test_blocks_change_nothing(replay: Replay, recordings: Path, block_samples: int) -> None:
    file = recordings / "b_whining.flac"
    split = replay(file, "--block-samples", str(block_samples))
    assert [e["data"] for e in split.events] == [e["data"] for e in replay(file).events]


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 48_000])
def test_every_rate_is_heard_the_same(replay: Replay, tmp_path: Path, rate_hz: int) -> None:
    normal = write_sound(tmp_path / "n.wav", machine_sound(10.0, rate_hz, seed=5), rate_hz)
    fault = write_sound(tmp_path / "f.wav", machine_sound(10.0, rate_hz, seed=6, whine=0.1), rate_hz)
    done = replay(normal, fault)
    assert done.status == 0
    assert [e["data"]["window_s"] for e in done.events] == [10.0, 10.0]
    assert done.scores[1] > done.scores[0]


def test_a_channel_is_chosen_never_mixed(replay: Replay, tmp_path: Path) -> None:
    mono = write_sound(tmp_path / "mono.wav", machine_sound(10.0, seed=7))
    stereo = np.stack([machine_sound(10.0, seed=8, whine=0.2), machine_sound(10.0, seed=7)], axis=1)
    both = write_sound(tmp_path / "stereo.wav", stereo)
    assert replay(both, "--channel", "1").scores == replay(mono).scores
    refused = replay(both)
    assert (refused.status, refused.out) == (1, "")
    assert "has 2 channels and none was chosen" in refused.err


def test_overlapping_windows(replay: Replay, recordings: Path) -> None:
    done = replay(recordings / "a_normal.wav", "--window-s", "10", "--hop-s", "5")
    starts = [event["data"]["window_start"][11:21] for event in done.events]
    assert starts == ["00:00:00.0", "00:00:05.0", "00:00:10.0", "00:00:15.0"]
    apart = replay(recordings / "a_normal.wav")
    assert done.scores[::2] == apart.scores


def test_a_stream_joins_recordings(replay: Replay, recordings: Path) -> None:
    done = replay(recordings, "--stream")
    assert [event["data"]["window_start"][14:19] for event in done.events] == [
        "00:00",
        "00:10",
        "00:20",
        "00:30",
        "00:40",
    ]
    assert "50.0 s scored + 0.0 s skipped" in done.err


def test_log_mel_clips(replay: Replay, recordings: Path, tmp_path: Path) -> None:
    sound = machine_sound(10.0, seed=9)
    clips = np.stack([log_mel_db(sound), log_mel_db(machine_sound(10.0, seed=9, whine=0.1))])
    np.savez(tmp_path / "clips.npz", log_mel_db=clips)
    done = replay(tmp_path / "clips.npz")
    assert [(e["data"]["clip"], e["data"]["state"]) for e in done.events] == [(0, "normal"), (1, "suspect")]
    wav = write_sound(tmp_path / "same.wav", sound, subtype="FLOAT")
    assert replay(wav).scores == pytest.approx(done.scores[:1], abs=0.02)
    assert "20.0 s of sound = 20.0 s scored" in done.err
    for event in done.events:
        SCHEMA.validate(event)


def test_a_recording_shorter_than_a_window_is_scored_on_what_it_holds(replay: Replay, tmp_path: Path) -> None:
    (event,) = replay(write_sound(tmp_path / "short.wav", machine_sound(3.0, seed=3))).events
    assert event["data"]["window_s"] == 3.0
    assert np.isfinite(event["data"]["anomaly"]["score"])


def test_digital_silence_is_an_input_fault_with_a_score(replay: Replay, tmp_path: Path) -> None:
    (event,) = replay(write_sound(tmp_path / "zero.wav", np.zeros(160_000, np.float32))).events
    SCHEMA.validate(event)
    assert event["data"]["level_dbfs"] is None
    assert event["data"]["state"] == "input_fault"
    assert np.isfinite(event["data"]["anomaly"]["score"])


def test_a_commissioned_machine_is_known_by_its_sound(replay: Replay, recordings: Path) -> None:
    done = replay(recordings / "a_normal.wav", machine=None)
    assert done.status == 0
    for event in done.events:
        SCHEMA.validate(event)
        data = event["data"]
        assert (data["machine"], data["match"]["machine"], data["state"]) == ("press", "press", "normal")
        assert data["match"]["distance"] < data["match"]["limit"]
        assert data["prior"] == "generic"


def test_an_unknown_machine_is_named_so(replay: Replay, tmp_path: Path) -> None:
    hiss = np.random.default_rng(1).normal(0.0, 0.05, 160_000).astype(np.float32)
    (event,) = replay(write_sound(tmp_path / "hiss.wav", hiss), machine=None).events
    SCHEMA.validate(event)
    data = event["data"]
    assert (data["machine"], data["match"]["machine"], data["state"]) == ("unknown", "unknown", "unknown")
    assert data["anomaly"] is None
    assert "prior" not in data


def test_a_table_for_people(shell: Shell, commissioned: Path, recordings: Path) -> None:
    words = ("replay", "--machine", "press", recordings, "--bundle", BUNDLE, "--state-dir", commissioned)
    done = shell(*words)
    assert done.status == 0
    assert [line.split()[0] for line in done.out.splitlines()] == ["a_normal.wav"] * 2 + ["b_whining.flac"] * 2
    assert "suspect" in done.out.splitlines()[-1]


@pytest.mark.parametrize(
    "words",
    [
        ["--window-s", "0"], ["--window-s", "nan"], ["--window-s", "inf"], ["--hop-s", "-1"], ["--hop-s", "0"],
        ["--block-samples", "0"], ["--channel", "-1"], ["--channel", "x"], ["--machine", "a", "--auto"], ["--wibble"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_usage_is_refused_with_2(shell: Shell, recordings: Path, words: list[str]) -> None:
    done = shell("replay", recordings, *words)
    assert done.status == 2
    assert done.out == ""
    assert ": error: " in done.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--machine", "ghost"], "machine 'ghost' has no profile"),
        (["--machine", "../x"], "machine id '../x'"),
        (["--machine", "press", "--hop-s", "20"], "hop_s 20.0 must be above 0 and at most window_s"),
        (["--machine", "press", "--window-s", "0.01"], "window_s 0.01 must hold at least"),
        (["--machine", "press", "--channel", "3"], "has 1 channels, not the chosen [3]"),
        (["--machine", "press", "--bundle", "/nowhere"], "/nowhere"),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_refused_with_1(
    shell: Shell, commissioned: Path, recordings: Path, words: list[str], says: str
) -> None:
    bundle = [] if "--bundle" in words else ["--bundle", BUNDLE]
    done = shell("replay", "--json", recordings / "a_normal.wav", *words, *bundle, "--state-dir", commissioned)
    assert (done.status, done.out) == (1, "")
    complaints = [line for line in done.err.splitlines() if line.startswith("edge-agent: ")]
    assert len(complaints) == 1, done.err
    assert says in complaints[0]


def test_many_windows_at_a_step_change_no_byte(
    shell: Shell, commissioned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Simulated sound of two machines: alarms, a muted stretch, a short file, one that is no sound."""
    state = tmp_path / "state"
    shutil.copytree(commissioned, state)
    simulator = MachineSimulator(random_spec(MachineType.FAN, np.random.default_rng(1), "fan"), 1, 16_000)
    for index in range(6):
        write_sound(tmp_path / "learn" / f"{index}.wav", simulator.render(160_000))
    words = ("commission", "--machine", "fan", "--from", tmp_path / "learn", "--bundle", BUNDLE, "--state-dir", state)
    assert shell(*words).status == 0
    sound = tmp_path / "sound"
    muted = simulator.render(480_000)
    muted[150_000:330_000] = 0.0
    write_sound(sound / "a.wav", muted)
    whining = np.concatenate([machine_sound(20.0, seed=50), machine_sound(70.0, seed=51, whine=0.1)])
    write_sound(sound / "b.flac", whining)
    (sound / "c.wav").write_text("no sound", encoding="utf-8")
    write_sound(sound / "d.wav", machine_sound(4.0, seed=52))
    write_sound(sound / "e.wav", simulator.render(330_000))

    def said(most: int, *words: str) -> tuple[list[str], str]:
        monkeypatch.setattr(offline, "STEP_WINDOWS", most)
        done = shell("replay", "--json", *words, sound, "--bundle", BUNDLE, "--state-dir", state)
        lines = [re.sub(r'"id":"[^"]*",|"time":"[^"]*",', "", line) for line in done.out.splitlines()]
        return lines, re.sub(r", \d+ x real time", "", done.err)

    for words in (["--auto"], ["--machine", "press", "--hop-s", "5"], ["--machine", "fan"]):
        one, many = said(1, *words), said(16, *words)
        assert one == many
        assert f"{sound / 'c.wav'}" in one[1]
        states = {json.loads(line)["data"]["state"] for line in one[0]}
        assert "--auto" not in words or {"normal", "alarm"} <= states


def test_processes_that_share_the_recordings_change_neither_order_nor_bytes(
    replay: Replay, recordings: Path, tmp_path: Path
) -> None:
    (tmp_path / "no_sound.wav").write_text("no sound", encoding="utf-8")
    for index in range(9):
        (tmp_path / f"{index}.wav").symlink_to(recordings / "a_normal.wav")
    one, two = replay(tmp_path, "--jobs", "1"), replay(tmp_path, "--jobs", "2")
    assert (one.status, two.status) == (1, 1)
    assert len(one.events) == 18
    for mine, theirs in zip(one.events, two.events, strict=True):
        assert {**mine, "id": "", "time": ""} == {**theirs, "id": "", "time": ""}
    refusal = f"{tmp_path}/no_sound.wav"
    assert refusal in one.err and refusal in two.err
    said = "18 windows; 225.0 s of sound = 180.0 s scored + 45.0 s skipped; 1 refused"
    assert said in one.err and said in two.err
