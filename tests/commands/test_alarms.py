"""`edge-agent alarms` without an agent: what is on the disk, or why it cannot be told."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from edge_agent import cli
from edge_agent.alarms.alarm import PLANT, Alarm, AlarmKey, Kind, Severity
from edge_agent.alarms.states import State
from edge_agent.alarms.store import AlarmStore, Shown, StoredAlarm
from tests.support.agent import Shell

ULID = "01HF7YAT000000000000000000"
FAN = Alarm(AlarmKey(Kind.ANOMALY, "fan_1"), State.ACKNOWLEDGED, True, ULID, Severity.HIGH, "fan_1 whines\x1b[31m",
            raised_ns=5, operator="anna")  # fmt: skip
HUM = Alarm(AlarmKey(Kind.INPUT_FAULT, "fan_1", "hum"), State.SHELVED, False, ULID, operator="bob", reason="hums here",
            shelved_until_ns=10**18)  # fmt: skip


@pytest.fixture
def state(tmp_path: Path) -> Path:
    kept = [
        StoredAlarm.of(FAN, heard=None, shown=Shown(clip="c1")),
        StoredAlarm.of(HUM, heard=None),
        StoredAlarm.of(Alarm(PLANT, id=ULID, text="4 machines rose at once"), heard=None),
    ]
    AlarmStore(tmp_path).save(kept)
    return tmp_path


def test_who_did_what_and_why_can_be_seen(shell: Shell, state: Path) -> None:
    _, fan, hum = shell("alarms", "list", "--state-dir", state).out.splitlines()
    assert "acknowledged by anna" in fan
    assert "fan_1 whines?[31m" in fan
    assert "shelved until 2001-09-09" in hum
    assert "by bob" in hum
    assert hum.endswith("hums here")  # it never was on: there is nothing else to say
    assert "4 machines" in shell("alarms", "list", "--all", "--state-dir", state).out


def test_as_json_it_names_the_clip(shell: Shell, state: Path) -> None:
    alarms = [json.loads(line) for line in shell("alarms", "list", "--json", "--state-dir", state).out.splitlines()]
    assert [(alarm["state"], alarm["fault"], alarm["clip"]) for alarm in alarms] == [
        ("acknowledged", None, "c1"), ("shelved", "hum", None),
    ]  # fmt: skip


@pytest.mark.parametrize("action", ["list", "history"])
def test_a_place_where_no_agent_ran_is_no_good_news(action: str, shell: Shell, tmp_path: Path) -> None:
    done = shell("alarms", action, "--state-dir", tmp_path / "elsewhere")
    assert (done.status, done.out) == (1, "")
    assert "no agent ran with state directory" in done.err


@pytest.mark.parametrize("content", [b"", b"{", b'{"version": 2, "alarms": []}', b"\xff"])
def test_a_damaged_file_is_named(content: bytes, shell: Shell, state: Path) -> None:
    (state / "alarms.json").write_bytes(content)
    done = shell("alarms", "list", "--state-dir", state)
    assert (done.status, done.out) == (1, "")
    assert "alarms.json is no alarm file of version 1" in done.err


@pytest.mark.parametrize(
    "words",
    [
        ("ack",),
        ("ack", "fan_1", "--plant"),
        ("shelve", "fan_1", "--reason", "x"),
        ("shelve", "fan_1", "--for", "8h"),
        ("shelve", "fan_1", "--for", "8", "--reason", "x"),
        ("shelve", "fan_1", "--for", "59s", "--reason", "x"),
        ("out-of-service", "fan_1"),
        ("ack", "fan_1", "--fault", "rust"),
        ("label", "fan_1"),
        (),
    ],
)
def test_misused_it_says_how_it_is_used(words: tuple[str, ...], shell: Shell, state: Path) -> None:
    where = ("--state-dir", state) if words else ()
    done = shell("alarms", *words, *where)
    assert (done.status, "usage: edge-agent alarms" in done.err) == (2, True)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize(
    ("mode", "words", "said"),
    [
        (0o755, ("list",), "alarms.json cannot be read (Permission denied)"),
        (0o755, ("history",), "alarm_history.jsonl cannot be read (Permission denied)"),
        (0o700, ("list",), "cannot be read (Permission denied)"),
        (0o700, ("history",), "cannot be read (Permission denied)"),
        (0o700, ("ack", "fan_1"), "belongs to the agent's user; run this as that user"),
    ],
)
def test_somebody_else_is_told_that_they_may_not_read(
    mode: int, words: tuple[str, ...], said: str, state: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (state / "alarm_history.jsonl").touch(0o640)
    for path in state.parents:
        if path.name.startswith(("pytest-", "popen-")):  # pytest makes them for its user alone
            path.chmod(0o755)
    state.chmod(mode)
    child = os.fork()
    if not child:
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        status = cli.main(["alarms", *words, "--state-dir", str(state)])
        sys.stderr.flush()
        os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert said in capfd.readouterr().err
