"""`edge-agent alarms`."""

import argparse
import json
import os
import pwd
import re
import secrets
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from edge_agent.agent.alarming.conditions import FAULTS
from edge_agent.agent.asking.control_socket import Request, ask
from edge_agent.alarms.alarm import Alarm
from edge_agent.alarms.errors import AlarmError
from edge_agent.alarms.history import HistoryEntry, history
from edge_agent.alarms.states import State
from edge_agent.alarms.store import AlarmStore
from edge_agent.commands import options
from edge_agent.delivery.commands import Verb
from edge_agent.delivery.fields import rfc3339
from edge_agent.errors import CommandError

_VERBS = {
    "ack": (Verb.ACKNOWLEDGE, "say that a person has seen an alarm"),
    "shelve": (Verb.SHELVE, "put an alarm aside for some time"),
    "unshelve": (Verb.UNSHELVE, "take a shelved alarm back"),
    "out-of-service": (Verb.OUT_OF_SERVICE, "take an alarm out of service; results go on"),
    "in-service": (Verb.IN_SERVICE, "put an alarm back into service"),
    "label": (Verb.LABEL, "say what an episode was"),
}
_REASON_NEEDED = ("shelve", "out-of-service")
_BY_A_PERSON = (State.ACKNOWLEDGED, State.SHELVED, State.OUT_OF_SERVICE)
_LEAST_SHELVING_S = 60
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="alarms that are not normal")
    listing.add_argument("--all", action="store_true", help="normal ones too")
    past = actions.add_parser("history", help="what happened, oldest first")
    past.add_argument("machine", nargs="?", metavar="MACHINE", help="of this machine only")
    past.add_argument("--last", type=options.at_least(1), default=50, metavar="N", help="so many (default: 50)")
    for reading in (listing, past):
        reading.add_argument("--json", action="store_true", help="one JSON object per line")
        options.add_state_dir(reading)
    for name, (_, summary) in _VERBS.items():
        acting = actions.add_parser(name, help=summary)
        acting.add_argument("machine", nargs="?", metavar="MACHINE")
        acting.add_argument("--fault", choices=FAULTS, metavar="CLASS", help="its alarm for this fault of the input")
        acting.add_argument("--plant", action="store_true", help="the plant event instead of a machine")
        acting.add_argument("--reason", required=name in _REASON_NEEDED, metavar="TEXT", help="why")
        if name == "shelve":
            acting.add_argument(
                "--for", dest="for_s", type=_duration, required=True, metavar="TIME", help="8h, 30m, 2d"
            )
        if name == "label":
            acting.add_argument("--label", required=True, metavar="NAME", help="normal, or the name of a fault")
        options.add_state_dir(acting)
        acting.set_defaults(misused=acting.error)


def run(arguments: argparse.Namespace) -> int:
    """List alarms, or act on them through the running agent."""
    directory = options.state_dir(arguments)
    if arguments.action == "list":
        return _list(directory, everything=arguments.all, as_json=arguments.json)
    if arguments.action == "history":
        return _history(directory, arguments.machine, arguments.last, as_json=arguments.json)
    return _act(directory, arguments)


def _list(directory: Path, *, everything: bool, as_json: bool) -> int:
    _must_exist(directory)
    try:
        stored = AlarmStore(directory).load()
    except AlarmError as error:
        raise CommandError(str(error)) from error
    wanted = [each for each in stored if everything or each.state is not State.NORMAL]
    if as_json:
        for each in wanted:
            print(json.dumps(_as_dict(each.alarm(), None if each.shown is None else each.shown.clip)))
    elif wanted:
        head = ("MACHINE", "ALARM", "STATE", "SEVERITY", "SINCE", "TEXT")
        _table([head, *(_row(each.alarm()) for each in wanted)])
    if not wanted:
        print(f"no alarm in {directory}", file=sys.stderr)
    return 0


def _history(directory: Path, machine: str | None, last: int, *, as_json: bool) -> int:
    _must_exist(directory)
    try:
        history(directory).check()
    except AlarmError as error:
        raise CommandError(str(error)) from error
    entries = [entry for entry in history(directory).read() if machine in (None, entry.machine)][-last:]
    if as_json:
        for entry in entries:
            print(entry.model_dump_json())
    else:
        _table(map(_history_row, entries))
    if not entries:
        print(f"no history in {directory}", file=sys.stderr)
    return 0


def _must_exist(directory: Path) -> None:
    """No alarm where no agent ever ran is no good news."""
    try:
        directory.stat()
    except FileNotFoundError:
        raise CommandError(f"no agent ran with state directory {directory}; give --state-dir") from None
    except OSError as error:
        raise CommandError(
            f"{directory} cannot be read ({error.strerror}); run this as the agent's user or as root"
        ) from error


def _act(directory: Path, arguments: argparse.Namespace) -> int:
    if arguments.plant == bool(arguments.machine):
        arguments.misused("give a MACHINE, or --plant")
    kind = "plant_event" if arguments.plant else "input_fault" if arguments.fault else "anomaly"
    now = time.time_ns()
    command = {
        "id": secrets.token_hex(16),
        "issued_at": rfc3339(now),
        "operator": _user(),
        "kind": kind,
        "machine": arguments.machine,
        "fault": arguments.fault,
        "reason": arguments.reason,
        "for_s": getattr(arguments, "for_s", None),
        "label": getattr(arguments, "label", None),
    }
    given = {name: value for name, value in command.items() if value is not None}
    reply = ask(directory, Request(verb=_VERBS[arguments.action][0].value, command=given))
    if reply.outcome == "refused":
        raise CommandError(f"refused: {reply.text}")
    print(reply.text)
    return 0


def _row(alarm: Alarm) -> tuple[str, ...]:
    what = alarm.key.fault or alarm.key.kind.value
    state = alarm.state.value
    if alarm.shelved_until_ns is not None:
        state += f" until {_local(alarm.shelved_until_ns)}"
    if alarm.state in _BY_A_PERSON and alarm.operator:
        state += f" by {alarm.operator}"
    text = alarm.text or (alarm.reason or "")
    since_ns = alarm.changed_ns if alarm.raised_ns is None else alarm.raised_ns
    return (alarm.key.machine or "(plant)", what, state, alarm.severity.word, _local(since_ns), text)


def _history_row(entry: HistoryEntry) -> tuple[str, ...]:
    who = f" by {entry.operator}" if entry.operator else ""
    event = "update" if entry.event is None else entry.event.value
    return (_local(entry.at_ns), entry.machine or "(plant)", entry.fault or entry.kind.value, f"{event}{who}",
            entry.state.value, entry.text)  # fmt: skip


def _as_dict(alarm: Alarm, clip: str | None) -> dict[str, object]:
    return {
        "machine": alarm.key.machine or None,
        "kind": alarm.key.kind.value,
        "fault": alarm.key.fault or None,
        "alarm": alarm.id,
        "state": alarm.state.value,
        "severity": alarm.severity.word,
        "active": alarm.active,
        "raised_at": None if alarm.raised_ns is None else rfc3339(alarm.raised_ns),
        "changed_at": rfc3339(alarm.changed_ns),
        "shelved_until": None if alarm.shelved_until_ns is None else rfc3339(alarm.shelved_until_ns),
        "operator": alarm.operator,
        "reason": alarm.reason,
        "machines": list(alarm.machines),
        "text": alarm.text,
        "clip": clip,
    }


def _table(rows: Iterable[tuple[str, ...]]) -> None:
    lines = [tuple(map(_printable, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line[:-1], widths, strict=False)]
        print("  ".join([*cells, line[-1]]))


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _local(time_ns: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time_ns / 1e9))


def _user() -> str:
    if name := os.environ.get("SUDO_USER"):
        return name[:128]
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def _duration(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    if not found:
        raise argparse.ArgumentTypeError(f"must be a number with s, m, h or d, such as 8h, not {text}")
    duration_s = int(found[1]) * _UNITS_S[found[2]]
    if duration_s < _LEAST_SHELVING_S:
        raise argparse.ArgumentTypeError(f"must be at least {_LEAST_SHELVING_S}s, not {text}")
    return duration_s
