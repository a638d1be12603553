"""The alarms on disk: whole or not at all, hostile when read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.alarms.alarm import PLANT, Alarm, AlarmKey, Kind, Severity
from edge_agent.alarms.errors import AlarmError
from edge_agent.alarms.states import Event, State
from edge_agent.alarms.store import MAX_BYTES, AlarmStore, Heard, Shown, StoredAlarm, Untold

ULID = "01HF7YAT000000000000000000"
ALARMS = (
    Alarm(AlarmKey(Kind.ANOMALY, "fan_1"), State.SHELVED, True, ULID, Severity.HIGH, "a whine", raised_ns=5,
          changed_ns=7, reraised=2, returns=1, acknowledged_ns=6, acknowledged_by="anna",
          acknowledged_severity=Severity.MEDIUM, shelved_until_ns=9, operator="bob", reason="known", label="bearing"),
    Alarm(AlarmKey(Kind.INPUT_FAULT, "fan_1", "hum"), State.NORMAL, False, ULID, Severity.LOW, "hum", 5, 7, 7),
    Alarm(PLANT, State.UNACKNOWLEDGED, True, ULID, machines=("fan_1", "fan_2"), raised_ns=1),
)  # fmt: skip
HEARD = Heard(number=3, first_anomalous_ns=1, peak_score=9.5, peak_ns=2, anomalous_windows=17)


def stored(told: bool = True) -> tuple[StoredAlarm, ...]:
    untold = None if told else Untold(event=Event.RAISE, announce=True)
    shown = Shown(clip="c1", after="c2", explained="{}")
    return tuple(StoredAlarm.of(alarm, heard=HEARD, untold=untold, shown=shown) for alarm in ALARMS)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    store = AlarmStore(tmp_path)
    assert store.load() == ()
    store.save(stored())
    assert tuple(each.alarm() for each in store.load()) == ALARMS
    assert {each.heard for each in store.load()} == {HEARD}
    assert [path.name for path in tmp_path.iterdir()] == ["alarms.json"]


def one(**changes: object) -> dict[str, object]:
    return {**json.loads(stored()[0].model_dump_json()), **changes}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"version": 2, "alarms": []}',
        b'{"version": 1}',
        b'{"version": 1, "alarms": [], "more": 1}',
        *(
            json.dumps({"version": 1, "alarms": [one(**changes)]}).encode()
            for changes in (
                {"machine": "../../etc"},
                {"state": "asleep"},
                {"id": "x" * 26},
                {"raised_ns": -1},
                {"raised_ns": 1 << 70},
                {"raised_ns": "now"},
                {"severity": "urgent"},
                {"text": "x" * 3000},
                {"extra": 1},
                {"machines": ["a"] * 300},
                {"heard": {"number": 1}},
                {"heard": {**json.loads(HEARD.model_dump_json()), "peak_score": "NaN"}},
            )
        ),
        b" " * (MAX_BYTES + 1),
    ],
)
def test_a_bad_file_is_refused_by_name_and_can_be_set_aside(tmp_path: Path, content: bytes) -> None:
    store = AlarmStore(tmp_path)
    store.path.write_bytes(content)
    with pytest.raises(AlarmError, match=r"alarms\.json"):
        store.load()
    target = store.set_aside(1_700_000_000)
    assert target.read_bytes() == content
    assert store.load() == ()


@given(st.binary(max_size=400))
def test_no_bytes_do_more_than_be_refused(content: bytes) -> None:
    directory = Path(f"/tmp/edge-agent-alarm-test-{os.getpid()}")
    directory.mkdir(exist_ok=True)
    store = AlarmStore(directory)
    store.path.write_bytes(content)
    try:
        assert store.load() == ()
    except AlarmError:
        pass
    finally:
        store.path.unlink()
        directory.rmdir()


def test_only_the_last_damaged_files_are_kept(tmp_path: Path) -> None:
    store = AlarmStore(tmp_path)
    for number in range(6):
        store.path.write_bytes(b"bad")
        store.set_aside(100 + number)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"alarms.json.damaged-{number}" for number in (103, 104, 105)]


def test_a_disk_that_refuses_is_named_and_the_old_file_stays(tmp_path: Path) -> None:
    store = AlarmStore(tmp_path)
    store.save(stored())
    (tmp_path / ".alarms.json.new").mkdir()
    with pytest.raises(AlarmError, match="cannot be written"):
        store.save(stored(told=False))
    assert all(each.told for each in store.load())


_WRITER = """
import sys
from pathlib import Path
from edge_agent.alarms.store import AlarmStore
*contents, directory = map(Path, sys.argv[1:])
contents = [AlarmStore(content).load() for content in contents]
store = AlarmStore(directory)
store.save(contents[0])
print("ready", flush=True)
while True:
    for content in contents:
        store.save(content)
"""


def test_killed_at_any_moment_there_is_a_whole_file(tmp_path: Path) -> None:
    contents = [tmp_path / "told", tmp_path / "untold"]
    for content, told in zip(contents, (True, False), strict=True):
        content.mkdir()
        AlarmStore(content).save(stored(told))
    for number in range(12):
        words = [sys.executable, "-c", _WRITER, *map(str, contents), str(tmp_path)]
        process = subprocess.Popen(words, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.003 * number)  # another moment each time
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        found = AlarmStore(tmp_path).load()
        assert tuple(each.alarm() for each in found) == ALARMS
