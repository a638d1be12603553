"""`edge-agent commission --minutes`: learns a machine from what its channel hears now."""

import argparse
import dataclasses
import os
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager

from edge_agent.agent.clips.normals import withheld_by
from edge_agent.agent.profiles import ProfileStore
from edge_agent.agent.wiring import alarm_budget
from edge_agent.commands.live_view import LiveView
from edge_agent.commands.profile_page import describe
from edge_agent.commissioning.address import socket_path
from edge_agent.commissioning.client import AgentChannel
from edge_agent.commissioning.direct import DirectChannel, channel_of
from edge_agent.commissioning.errors import ListenError
from edge_agent.commissioning.items import Item, TakenOver
from edge_agent.commissioning.lesson import Lesson
from edge_agent.commissioning.run import CommissioningRun, Note, Phase
from edge_agent.commissioning.withhold import KEEP_ALL
from edge_agent.config.load import load_settings
from edge_agent.config.settings import AgentSettings
from edge_agent.errors import CommandError
from edge_agent.inference.bundle import Bundle, load_bundle

NOTHING_WITHIN_S = 20.0
"""A source that gave nothing for so long, from the start on, is not waited for any more."""
_TAKEN_OVER_WITHIN_S = 15.0
_INTERRUPTED = 130


def commission_live(arguments: argparse.Namespace) -> int:
    """Listen, learn, keep the profile; Ctrl-C leaves everything as it was."""
    settings = _settings(arguments)
    store = ProfileStore(settings.agent.resolve_state_dir(os.environ))
    store.path(arguments.machine)
    channel_of(settings, arguments.machine)  # a machine that nobody hears is refused before the bundle is read
    bundle = load_bundle(settings.model.resolve_bundle(store.state_dir))
    lesson = _lesson(arguments, settings, bundle)
    run = CommissioningRun(
        lesson.learn,
        wanted_s=60.0 * arguments.minutes,
        state=arguments.state,
        withhold=withheld_by(settings) if arguments.keep_normals else KEEP_ALL,
    )
    view = LiveView(sys.stderr)
    channel = AgentChannel.find(socket_path(store.state_dir), arguments.machine, bundle.ref.sha256)
    how = "through the running agent" if channel else "directly, as no agent runs here"
    print(f"listening to {arguments.machine} {how}", file=sys.stderr)
    source = channel or DirectChannel(settings, arguments.machine, bundle)
    try:
        return _listen(source, run, view, store, lesson, keep_normals=arguments.keep_normals)
    except KeyboardInterrupt:
        view.close()
        if run.phase is Phase.ACCEPTED:
            raise
        print(f"\nstopped: nothing was kept, {_standing(store, arguments.machine)}", file=sys.stderr)
        return _INTERRUPTED


def _settings(arguments: argparse.Namespace) -> AgentSettings:
    settings = load_settings(arguments.config, os.environ)
    agent, model = settings.agent, settings.model
    if arguments.state_dir is not None:
        agent = agent.model_copy(update={"state_dir": arguments.state_dir})
    if arguments.bundle is not None:
        model = model.model_copy(update={"bundle": f"{arguments.bundle}/"})
    return settings.model_copy(update={"agent": agent, "model": model})


def _lesson(arguments: argparse.Namespace, settings: AgentSettings, bundle: Bundle) -> Lesson:
    machine = settings.machine_of(arguments.machine)
    budget = alarm_budget(settings, machine)
    if arguments.false_alarms_per_week is not None:
        budget = dataclasses.replace(budget, false_alarms_per_week=arguments.false_alarms_per_week)
    return Lesson(
        machine_id=machine.id,
        machine_type=arguments.type or machine.type,
        bundle=bundle,
        budget=budget,
        max_states=arguments.states,
    )


def _listen(
    source: AgentChannel | DirectChannel,
    run: CommissioningRun,
    view: LiveView,
    store: ProfileStore,
    lesson: Lesson,
    *,
    keep_normals: bool,
) -> int:
    entered: AbstractContextManager[AgentChannel | DirectChannel] = source
    with entered:
        items = source.items()
        for note in _gathered(items, run, view):
            view.note(note)
        view.close()
        if run.phase is not Phase.LEARNT:
            print(f"nothing was kept, {_standing(store, lesson.machine_id)}", file=sys.stderr)
            return 1
        profile, recordings = run.accept()
        path = store.save(profile, lesson.normals(recordings) if keep_normals and recordings else None)
        for line in [*describe(profile), *([run.withheld] if run.withheld else [])]:
            print(line)
        print(f"kept in {path}", file=sys.stderr)
        print(
            "all of it is one session: add normals of other days as they come (edge-agent profiles add)",
            file=sys.stderr,
        )
        if isinstance(source, AgentChannel):
            _wait_until_used(items, lesson.machine_id)
    return 0


def _gathered(items: Iterator[Item | None], run: CommissioningRun, view: LiveView) -> Iterator[Note]:
    """What is to be said while the run listens; ends when it has learnt, or cannot."""
    begun_s = time.monotonic()
    for item in items:
        if item is not None:
            yield from run.take(item)
        progress = run.progress
        view.progress(progress)
        if run.phase is not Phase.LISTENING:
            return
        if progress.level is None and time.monotonic() - begun_s >= NOTHING_WITHIN_S:
            detail = progress.source.detail if progress.source is not None else "it never started"
            raise CommandError(f"the source gave nothing for {NOTHING_WITHIN_S:.0f} s: {detail}")
    if run.phase is Phase.LISTENING:
        yield from run.conclude()


def _wait_until_used(items: Iterator[Item | None], machine_id: str) -> None:
    """Say whether the running agent uses the new profile."""
    until_s = time.monotonic() + _TAKEN_OVER_WITHIN_S
    try:
        for item in items:
            if isinstance(item, TakenOver) and machine_id in item.machines:
                print("the running agent uses it from now on", file=sys.stderr)
                return
            if time.monotonic() >= until_s:
                break
    except ListenError as error:
        print(error, file=sys.stderr)
    print("the running agent does not use it yet: look at its log, or send it SIGHUP", file=sys.stderr)


def _standing(store: ProfileStore, machine_id: str) -> str:
    if store.path(machine_id).exists():
        return f"the profile of {machine_id} stands as it was"
    return f"{machine_id} has no profile"
