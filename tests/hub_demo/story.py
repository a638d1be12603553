"""The steps of the demo, in order; each waits for what it says, and fails with the logs where it does not come true."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_agent.inference.bundle import load_bundle
from tests.hub_demo.pages import Person
from tests.hub_demo.processes import DemoError, Processes, Running
from tests.hub_demo.site import GATEWAYS, PERSON, SITE, Site
from tests.hub_demo.slow_bundle import slow_down
from tests.support.broker import Broker
from tests.support.browser import browser_page

_STEP_S = 600.0
_SLOW_PATCH_S = 0.012
"""A good encoder takes a third of a millisecond; refitting the profiles takes some 4,500 patches."""
_COARSE = {"shadow_windows": 30, "max_percentile_shift": 75.0}
"""Profiles of eighteen windows place sound coarsely among the normal: the default of 20 points would be chance."""
_IMPATIENT = {
    **_COARSE,
    "shadow_windows": 0,
    "min_windows": 5,
    "healthy_reports": 3,
}
"""For the bad bundle: straight into use at the canary, so that what is seen is the way back."""

Say = Callable[[str], None]


@dataclass
class Story:
    """The demo.

    Args:
        directory: An empty directory.
        say: Tells each step.
        pictures: Where pictures of the pages go.
    """

    directory: Path
    say: Say
    pictures: Path | None = None
    _stack: ExitStack = field(default_factory=ExitStack)
    _running: list[Running] = field(default_factory=list)

    def run(self) -> None:
        """Play it from beginning to end.

        Raises:
            DemoError: A step did not come true.
        """
        with self._stack as stack:
            broker = stack.enter_context(Broker(self.directory / "broker"))
            broker.start()
            site = Site.prepare(self.directory, stack.enter_context(Processes(self.directory)), broker)
            self._set_up(site)
            page, errors = stack.enter_context(browser_page())
            person = Person(page, site.url, self.pictures)
            person.sign_in(PERSON, site.password)
            self._clips_become_labels(site, person)
            better = self._labels_become_a_bundle(site, person)
            self._goes_out(site, person, better)
            self._comes_back(site, person, better)
            person.look("/", "home")
            if errors:
                raise DemoError(f"the pages made errors: {errors[:5]}")
            self.say("done")

    def _set_up(self, site: Site) -> None:
        site.start_hub()
        assert site.hub is not None
        self._running.append(site.hub)
        self._until(site.answers, "the hub answers")
        site.found_trust()
        self.say("hub: SQLite and a folder; root and approver's keys are made, the hub has what they signed")
        for watched in GATEWAYS:
            self._running.append(site.start_agent(watched))
            self.say(f"{watched.gateway} ({watched.ring}) has learnt {watched.machine} and listens")

    def _clips_become_labels(self, site: Site, person: Person) -> None:
        machines = {watched.machine for watched in GATEWAYS}
        self._until(lambda: _alarmed(site) == machines, "an alarm's clip of each machine is at the hub")
        clips = site.ask("/clips?limit=200")["clips"]
        self.say(f"{len(clips)} clips have come in, an alarm's of each machine among them")
        for watched in GATEWAYS:
            person.add_normals(watched.machine, sorted((site.directory / watched.gateway / "sound/normal").iterdir()))
        labelled = person.label_everything()
        datasets = [clip["dataset"] for clip in site.ask("/clips?limit=200")["clips"]]
        balance = ", ".join(f"{datasets.count(name)} to {name}" for name in ("training", "validation"))
        self.say(f"{labelled} clips labelled by keyboard, the commissioning recordings added; {balance}")
        person.look("/dataset", "dataset")

    def _labels_become_a_bundle(self, site: Site, person: Person) -> dict[str, Any]:
        person.launch_training()
        self._until(lambda: _run(site)["state"] in ("done", "failed"), "the training ends")
        run = _run(site)
        if run["state"] != "done":
            raise DemoError(f"the training failed: {run}")
        bundle: dict[str, Any] = next(row for row in site.ask("/bundles")["bundles"] if row["run_id"] == run["id"])
        gate = site.ask(f"/runs/{run['id']}")["gate"]
        text = person.look(f"/models/runs/{run['id']}", "training")
        if "Gate" not in text:
            raise DemoError("the training's page shows no gate")
        self.say(
            f"trained and compared with the bundle in use: {bundle['name']} {bundle['version']}, gate "
            f"{'passed' if gate['passed'] else 'refused'}, worst machine {gate['worst']}"
        )
        override = () if gate["passed"] else ("--override", "demo: few clips, seen by the administrator")
        site.approve(bundle["id"], *override)
        self.say("the approver has looked into it and signed it")
        return bundle

    def _goes_out(self, site: Site, person: Person, bundle: dict[str, Any]) -> None:
        first, second = (watched.gateway for watched in GATEWAYS)
        wish = {"bundle": bundle["id"], "why": "trained on this plant's own labels", "limits": _COARSE}
        rollout = site.ask("/rollouts", wish)["id"]
        self._until(lambda: _phase(site, rollout, first) == "active", f"{first} runs the new bundle")
        person.look(f"/rollouts/{rollout}", "rollout-canary")
        if _phase(site, rollout, second) == "active":
            raise DemoError(f"{second} has the bundle before its turn")
        self.say(f"{first} has compared it in the shadow, refitted its profile and runs it; {second} waits its turn")
        while site.ask(f"/rollouts/{rollout}")["stage"] != "all":
            person.let_it_go_on(rollout, "the canary does well")
        self._until(lambda: _phase(site, rollout, second) == "active", f"{second} runs the new bundle")
        self._until(lambda: _in_use(site) == {bundle["sha256"]}, "both gateways report it")
        person.let_it_go_on(rollout, "both do well")
        person.look("/rollouts", "rollouts")
        self.say(f"{second} runs it too")

    def _comes_back(self, site: Site, person: Person, better: dict[str, Any]) -> None:
        made = slow_down(
            load_bundle(_unpacked(site, better)), site.directory / "slow", version="99.0.0", patch_s=_SLOW_PATCH_S
        )
        added = site.publish("add", made.root).split()[0]
        site.approve(added)
        self.say("a bad bundle: it says the same, passes every self-test, and is many times as slow; signed too")
        wish = {"bundle": added, "why": "in a hurry", "limits": _IMPATIENT}
        rollout = site.ask("/rollouts", wish)["id"]
        self._until(lambda: site.ask(f"/rollouts/{rollout}")["stage"] in ("rolled_back", "halted"), "the hub objects")
        detail = site.ask(f"/rollouts/{rollout}")
        self.say(f"the hub objects by itself: {detail['stage']}, {detail['why']}")
        if detail["stage"] != "rolled_back":
            raise DemoError(f"it was in use and is {detail['stage']}: {detail['steps']}")
        self._until(lambda: _in_use(site) == {better["sha256"]}, "both gateways run the good bundle again")
        person.look(f"/rollouts/{rollout}", "rollout-bad")
        person.look("/fleet", "fleet")
        self.say("both gateways run the good bundle again")

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        deadline_s = time.monotonic() + _STEP_S
        while not condition():
            for running in self._running:
                running.check()
            if time.monotonic() > deadline_s:
                logs = "\n\n".join(f"== {running.name}\n{running.tail()}" for running in self._running)
                raise DemoError(f"within {_STEP_S:g} s it did not come true that {what}\n{logs}")
            time.sleep(0.5)


def _alarmed(site: Site) -> set[str]:
    return {clip["machine"]["name"] for clip in site.ask("/clips?reason=alarm&limit=200")["clips"]}


def _run(site: Site) -> dict[str, Any]:
    runs = site.ask("/runs")["runs"]
    return dict(runs[0]) if runs else {"state": "none"}


def _phase(site: Site, rollout: str, gateway: str) -> str:
    rows = site.ask(f"/rollouts/{rollout}")["gateways"]
    return str(next(row["progress"]["phase"] for row in rows if (row["site"], row["gateway"]) == (SITE, gateway)))


def _in_use(site: Site) -> set[str]:
    return {row["report"]["bundle"]["sha256"] for row in site.ask("/gateways")["gateways"]}


def _unpacked(site: Site, bundle: dict[str, Any]) -> Path:
    """The bundle as a gateway has it on its disk."""
    state = site.directory / GATEWAYS[1].gateway / "state"
    return state / "models" / "bundles" / str(bundle["sha256"])
