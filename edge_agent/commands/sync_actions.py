"""What `edge-agent sync` does, once the packages for it are known to be there (`edge_agent/sync/extra.py`)."""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from edge_agent.agent.hub.sync import (
    HubLine,
    HubSync,
    has_journal,
    make_exporter,
    open_journal,
    open_line,
    open_sync,
)
from edge_agent.clips import files
from edge_agent.config.settings import AgentSettings
from edge_agent.delivery.fields import rfc3339
from edge_agent.errors import CommandError
from edge_agent.sync.airgap.export import KEY_NAME, ExportLimits
from edge_agent.sync.airgap.receipts import read_receipt, take_receipt
from edge_agent.sync.airgap.signing import open_key
from edge_agent.sync.airgap.stick import exports_in
from edge_agent.sync.errors import HubError, StoppedError
from edge_agent.sync.journal import SentJournal
from edge_agent.sync.marks import SyncMarks


def send(settings: AgentSettings, state_dir: Path, arguments: argparse.Namespace) -> int:
    """Send what waits."""
    if not settings.hub.enabled or settings.hub.transport != "network":
        raise CommandError(
            'no hub is reached over the network: hub.enabled is false, or hub.transport is not "network"; '
            "`edge-agent sync export` writes a stick"
        )
    _existing(state_dir)
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


def status(settings: AgentSettings, state_dir: Path, arguments: argparse.Namespace) -> int:
    """What waits, what is set aside and why, whether the hub answers."""
    _existing(state_dir)
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
    if not settings.hub.enabled or settings.hub.transport != "network":
        with _opened(settings, state_dir) as (sync, _):
            clips, size_bytes = sync.waiting()
        return {"waiting": {"clips": clips, "bytes": size_bytes}, "answers": None}
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


def retry(settings: AgentSettings, state_dir: Path, arguments: argparse.Namespace) -> int:
    """Try once more what the hub refused."""
    marks = SyncMarks(state_dir)
    try:
        _say({"clips": marks.retry()}, as_json=arguments.json)
    finally:
        marks.close()
    return 0


def export(settings: AgentSettings, state_dir: Path, arguments: argparse.Namespace) -> int:
    """Write a stick."""
    with _opened(settings, state_dir) as (sync, journal):
        exporter = make_exporter(settings, state_dir, sync, journal)
        limits = ExportLimits(arguments.leave_free, arguments.machine, arguments.since)
        with files.held(state_dir / "export.lock"):
            done = exporter.write(arguments.to, limits)
    if done.path is None:
        print("nothing to write", file=sys.stderr)
    _say({**asdict(done), "path": None if done.path is None else str(done.path)}, as_json=arguments.json)
    return 0


def receipt(settings: AgentSettings, state_dir: Path, arguments: argparse.Namespace) -> int:
    """Take the hub's receipt from a stick."""
    key = settings.hub.receipt_key
    if key is None:
        raise CommandError("hub.receipt_key is not set; `training-hub import --show-key` at the hub shows it")
    agent = settings.agent
    exports = exports_in(arguments.stick)
    if not exports:
        raise CommandError(f"there is no export in {arguments.stick}; name the directory that `sync export` wrote to")
    receipts = [read_receipt(export, hub_key=key, site=agent.site, gateway=agent.gateway) for export in exports]
    with _opened(settings, state_dir) as (sync, journal):
        for export, receipt in zip(exports, receipts, strict=True):
            done = take_receipt(receipt, sync.store, sync.marks, journal, now_ns=time.time_ns)
            _say({"export": export.name, **asdict(done)}, as_json=arguments.json)
    return 0


def key(settings: AgentSettings, state_dir: Path, arguments: argparse.Namespace) -> int:
    """Show this gateway's public key."""
    public = open_key(_existing(state_dir) / KEY_NAME).public
    print(json.dumps({"public_key": public}) if arguments.json else public)
    return 0


@contextmanager
def _opened(settings: AgentSettings, state_dir: Path) -> Iterator[tuple[HubSync, SentJournal | None]]:
    """Clips and journal, without a hub being asked."""
    journal = open_journal(settings, _existing(state_dir)) if has_journal(state_dir) else None
    by_stick = settings.hub.model_copy(update={"transport": "stick", "key_file": None})
    line = open_line(by_stick, {})
    sync = open_sync(settings.model_copy(update={"hub": by_stick}), state_dir, journal=journal, line=line)
    try:
        yield sync, journal
    finally:
        sync.close()
        line.client.close()
        if journal is not None:
            journal.close()


def _existing(state_dir: Path) -> Path:
    if not state_dir.is_dir():
        raise CommandError(f"there is no {state_dir}; is agent.state_dir right?")
    return state_dir


def _say(facts: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(facts))
        return
    for key, value in facts.items():
        text = ", ".join(f"{k} {v}" for k, v in value.items()) or "none" if isinstance(value, dict) else value
        print(f"{key:16} {text}")


ACTIONS: Mapping[str, Callable[[AgentSettings, Path, argparse.Namespace], int]] = {
    "send": send,
    "status": status,
    "retry": retry,
    "export": export,
    "receipt": receipt,
    "key": key,
}
"""By the name that the command line gives them; `send` is what `edge-agent sync` alone does."""
