"""Kills the whole agent and the broker at random moments, and counts what of the accepted events was lost or altered.

`python -m tests.faults.agent_chaos --kills 200` is the long run; the tests do a short one. The agent is the real
`edge-agent run`: a pump that fails and two simulated fans, much faster than time, so that results and alarms flow. It
reaches the broker over a line with a delay, so that events are always on their way, and lost with whoever is killed.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from edge_agent import cli
from tests.end_to_end.conftest import PUMP, source
from tests.faults.agent_verdict import HOP_S, Books, Verdict, judge
from tests.faults.outbox_witness import OutboxWitness
from tests.support.agent import BUNDLE, Agent, write_config
from tests.support.broker import Broker, Subscriber, free_port, wait_until
from tests.support.long_line import LongLine
from tests.support.plant import FILM_S, RATE_HZ, write_film, write_normal

SPEED = 50.0
_MACHINES = {("film", "0"): "pump_1", ("fans", "0"): "fan_1", ("fans", "1"): "fan_2"}
_FANS = (
    '[[machine]]\nid = "fan_1"\ntype = "fan"\n[[machine]]\nid = "fan_2"\ntype = "fan"\n'
    f'[[source]]\nid = "fans"\nkind = "simulated"\nspeed = {SPEED}\n'
    '[[source.channel]]\nindex = 0\nmachine = "fan_1"\n[[source.channel]]\nindex = 1\nmachine = "fan_2"\n'
)
_DELAY_S = 0.15
_BROKER_SHARE = 0.3
_WHILE_STARTING = 1 / 6
_BOTH = 0.5
_ALL_AT_ONCE = "max_inflight_messages 0\n"
"""What the broker acknowledged has then left it for the subscriber: it has no queue that dies with it."""


@dataclass
class _Run:
    """A broker, who listens there, and one life of the agent after another."""

    directory: Path
    plant: Path
    choose: random.Random
    broker: Broker = field(init=False)
    line: LongLine = field(init=False)
    subscriber: Subscriber = field(init=False)
    witness: OutboxWitness = field(init=False)
    agent: Agent | None = None
    books: list[Books] = field(default_factory=list)
    agent_kills: int = 0
    broker_kills: int = 0

    def __post_init__(self) -> None:
        self.broker = Broker(self.directory / "broker", _ALL_AT_ONCE)
        self.broker.start()
        self.line = LongLine(self.broker.port, delay_s=_DELAY_S)
        self.subscriber = Subscriber(self.broker.port, client_id="chaos-hub")
        shutil.copytree(self.plant / "state", self.directory / "state")
        self.witness = OutboxWitness(self.directory / "state" / "outbox.db")

    def kill_something(self) -> None:
        """One kill, of the broker or of the agent, at a random moment of what goes on."""
        agent = self.agent or self.begin(loop=True)
        if self.choose.random() >= _BROKER_SHARE:
            self._kill_agent(agent)
            return
        self._listen(agent, self.choose.uniform(0.0, 1.5))
        wait_until(lambda: self.subscriber.connected, 60.0, "the subscriber's return")
        self.broker.kill()
        self.broker_kills += 1
        if self.choose.random() < _BOTH:  # the next life finds no broker for a while
            self._kill_agent(agent)
            agent = self.begin(loop=True)
        self._listen(agent, self.choose.uniform(0.1, 1.5))
        self.broker.start()

    def _kill_agent(self, agent: Agent) -> None:
        if self.choose.random() < _WHILE_STARTING:
            time.sleep(self.choose.uniform(0.0, 1.5))
        else:
            agent.wait_ready(120.0)
            self._listen(agent, self.choose.uniform(0.2, 2.0))
        agent.kill()
        self.agent, self.agent_kills = None, self.agent_kills + 1

    def begin(self, *, loop: bool) -> Agent:
        """The next life of the agent; without `loop` its sound has an end."""
        self.witness.next_life()
        self.books.append(Books({}))
        body = PUMP + source("film", "pump_1", self.plant / "film.wav", SPEED, loop=loop) + (_FANS if loop else "")
        port = free_port()
        config = write_config(
            self.directory / "agent.toml",
            state_dir=self.directory / "state",
            mqtt_port=self.line.port,
            http_port=port,
            body=body + "[clips]\nenabled = false\n",
        )
        self.agent = Agent(config, port, self.directory / "agent.log")
        return self.agent

    def end(self) -> None:
        """A last life hears the film to its end, sends all that waits and stops in order."""
        if self.agent is not None:
            self.agent.kill()
        agent = self.begin(loop=False)
        agent.wait_ready(120.0)
        wait_until(lambda: self._all_is_told(agent), 120.0, "the end of the film and an empty outbox")
        assert agent.stop() == 0
        self.agent = None

    def _all_is_told(self, agent: Agent) -> bool:
        books = self._books(agent)
        whole = books.windows.get("pump_1", 0) == round(FILM_S / HOP_S) and not (books.held or books.waiting)
        if whole:
            self.books[-1] = replace(books, ended=True)
        return whole

    def _listen(self, agent: Agent, for_s: float) -> None:
        """Let time pass, and note what the agent's ledger says in it."""
        until_s = time.monotonic() + for_s
        before: Books | None = None
        while time.monotonic() < until_s:
            time.sleep(min(0.15, max(0.0, until_s - time.monotonic())))
            now = self._books(agent)
            if before is not None and now.windows and not now.held:
                self.books[-1] = before  # all that was finished then is on the disk now, but for one on its way
            before = now

    def _books(self, agent: Agent) -> Books:
        _, text = agent.get("/metrics")
        finished: dict[str, float] = dict.fromkeys(_MACHINES.values(), 0.0)
        held = waiting = 0.0
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                match sample.name:
                    case "edge_agent_samples_scored_total" | "edge_agent_samples_skipped_total":
                        finished[_MACHINES[sample.labels["source"], sample.labels["channel"]]] += sample.value
                    case "edge_agent_intake_held_events":
                        held += sample.value
                    case "edge_agent_outbox_events":
                        waiting += sample.value
        windows = {machine: int(samples / (HOP_S * RATE_HZ)) for machine, samples in finished.items()}
        return Books(windows if text else {}, held=int(held), waiting=int(waiting))


def make_plant(directory: Path) -> Path:
    """A commissioned pump and its film."""
    normal = write_normal(directory / "normal")
    words = ["commission", "--machine", "pump_1", "--type", "pump", "--from", normal, "--bundle", BUNDLE]
    assert cli.main([str(word) for word in [*words, "--state-dir", directory / "state"]]) == 0
    write_film(directory / "film.wav")
    return directory


def run(directory: Path, plant: Path, *, kills: int, seed: int) -> Verdict:
    """Kill agent and broker so many times together, let everything be delivered, and judge."""
    chaos = _Run(directory, plant, random.Random(seed))
    try:
        while chaos.agent_kills + chaos.broker_kills < kills:
            chaos.kill_something()
        chaos.end()
        accepted = chaos.witness.accepted()
        wanted = {each.event_id for each in accepted}
        deadline_s = time.monotonic() + 30.0
        while time.monotonic() < deadline_s and not wanted <= chaos.subscriber.ids():
            time.sleep(0.2)
    finally:
        if chaos.agent is not None:
            chaos.agent.kill()
        chaos.subscriber.close()
        chaos.line.close()
        chaos.broker.stop()
    return judge(accepted, list(chaos.subscriber.heard), chaos.books, (chaos.agent_kills, chaos.broker_kills))


def main() -> int:
    """Run from the command line; exit status 1 when anything was lost, altered, invented or left out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="agent-chaos-") as name:
        directory = Path(name)
        plant = make_plant(directory / "plant")
        verdict = run(directory, plant, kills=arguments.kills, seed=arguments.seed)
    print(verdict)
    print(verdict.in_words())
    return 0 if verdict.kept_its_promise else 1


if __name__ == "__main__":
    sys.exit(main())
