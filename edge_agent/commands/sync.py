"""`edge-agent sync`."""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from edge_agent.agent.hub_sync import HubLine, HubSync, has_journal, open_journal, open_line, open_sync
from edge_agent.config.load import load_settings
from edge_agent.config.settings import AgentSettings
from edge_agent.delivery.fields import rfc3339
from edge_agent.errors import CommandError
from edge_agent.sync.errors import HubError, StoppedError
from edge_agent.sync.marks import SyncMarks

_Action = Callable[[AgentSettings, Path, argparse.Namespace], int]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    _add_common(parser)
    parser.add_argument(
        "--watch", action="store_true", help="go on until interrupted; the running agent does so itself"
    )
    parser.add_argument("--now", action="store_true", help="do not wait for the hours of hub.schedule")
    parser.set_defaults(act=_send)
    actions = parser.add_subparsers(dest="action", metavar="ACTION")

    def action(name: str, summary: str, run: _Action) -> argparse.ArgumentParser:
        found = actions.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        _add_common(found, default=argparse.SUPPRESS)
        found.set_defaults(act=run)
        return found

    action("status", "what waits, what is not sent and why, whether the hub answers", _status)
    action("retry", "try once more what the hub refused", _retry)


def run(arguments: argparse.Namespace) -> int:
    """Do the action."""
    settings = load_settings(arguments.config, os.environ)
    act: _Action = arguments.act
    return act(settings, settings.agent.resolve_state_dir(os.environ), arguments)


def _add_common(parser: argparse.ArgumentParser, default: object = None) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", default=default, help="the agent's TOML file")
    parser.add_argument("--json", action="store_true", default=default or False, help="one JSON object per line")


def _send(settings: AgentSettings, state_dir: Path, arguments: argparse.Namespace) -> int:
    if not settings.hub.enabled:
        raise CommandError(
            "hub.enabled is false: set it, with hub.url and hub.key_file; or use `edge-agent sync export`"
        )
    if not state_dir.is_dir():
        raise CommandError(f"there is no {state_dir}; is agent.state_dir right?")
    line = open_line(settings.hub, os.environ)
    journal = open_journal(settings, state_dir) if has_journal(state_dir) else None
    sync = open_sync(settings, state_dir, journal=journal, line=line, at_any_time=arguments.now)
    try:
        if arguments.watch:
            _watch(sync, line)
        sync.rounds.once()
    except StoppedError:
        return 0
    finally:
        _say(_sent(line), as_json=arguments.json)
        sync.close()
        if journal is not None:
            journal.close()
        line.client.close()
    return 0


def _watch(sync: HubSync, line: HubLine) -> None:
    """Until interrupted; what fails is said once and tried again."""
    said: str | None = None
    while True:
        wait_s = sync.rounds.next()
        if line.books.said and line.books.said != said:
            print(f"edge-agent: {line.books.said}; tried again", file=sys.stderr)
        said = line.books.said
        if line.brake.wait(wait_s):
            raise StoppedError


def _sent(line: HubLine) -> dict[str, object]:
    books = line.books
    return {
        "clips": books.clips,
        "files": books.files,
        "bytes": books.sent_bytes,
        "labels": books.records,
        "events_sent": books.events_sent,
        "events_there": books.events_there,
        "events_refused": books.events_refused,
    }


def _status(settings: AgentSettings, state_dir: Path, arguments: argparse.Namespace) -> int:
    if not state_dir.is_dir():
        raise CommandError(f"there is no {state_dir}; is agent.state_dir right?")
    journal = open_journal(settings, state_dir) if has_journal(state_dir) else None
    facts: dict[str, object] = {"hub": settings.hub.url if settings.hub.enabled else None}
    marks = SyncMarks(state_dir)
    try:
        facts |= _answer_of(settings, state_dir)
        aside = marks.aside()
        facts["set_aside"] = dict(Counter(each.reason.value for each in aside))
        if journal is not None:
            facts["events"] = {key: value for key, value in asdict(journal.stats()).items() if key in _JOURNAL_FACTS}
    finally:
        marks.close()
        if journal is not None:
            journal.close()
    _say(facts, as_json=arguments.json)
    if not arguments.json:
        for each in aside[-20:]:
            print(f"  {each.clip}  {each.reason.value:10} {each.at[:19]}Z  {each.why}")
    return 0


_JOURNAL_FACTS = ("waiting", "reconciled", "size_bytes")


def _answer_of(settings: AgentSettings, state_dir: Path) -> dict[str, object]:
    """What waits, and what the hub says to a question that changes nothing."""
    if not settings.hub.enabled:
        return {"answers": None}
    line = open_line(settings.hub, os.environ)
    sync = open_sync(settings, state_dir, journal=None, line=line)
    try:
        clips, size_bytes = sync.waiting()
        waiting = {"waiting": {"clips": clips, "bytes": size_bytes}}
        try:
            line.client.missing_clips(())
        except HubError as error:
            return {**waiting, "answers": False, "why": str(error)}
        return {**waiting, "answers": True, "asked_at": rfc3339(time.time_ns())}
    finally:
        sync.close()
        line.client.close()


def _retry(settings: AgentSettings, state_dir: Path, arguments: argparse.Namespace) -> int:
    marks = SyncMarks(state_dir)
    try:
        _say({"clips": marks.retry()}, as_json=arguments.json)
    finally:
        marks.close()
    return 0


def _say(facts: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(facts))
        return
    for key, value in facts.items():
        text = ", ".join(f"{k} {v}" for k, v in value.items()) or "none" if isinstance(value, dict) else value
        print(f"{key:16} {text}")
