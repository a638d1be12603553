"""The demo from its first word to its last: learn, listen, tell, clean up."""

import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from edge_agent.agent.profiles import ProfileStore
from edge_agent.commands.profile_page import describe
from edge_agent.delivery.events import parse_event
from edge_agent.delivery.message import Priority
from edge_agent.delivery.sqlite_outbox import SqliteOutbox
from edge_agent.demo import words
from edge_agent.demo.agent import TOPICS, Agent
from edge_agent.demo.broker import Broker, find_mosquitto
from edge_agent.demo.child import free_port
from edge_agent.demo.errors import DemoError
from edge_agent.demo.learn import RECORDINGS, Commissioning
from edge_agent.demo.plant import RATE_HZ, RECORDING_S, Plant
from edge_agent.demo.story import Story
from edge_agent.demo.subscriber import Subscriber
from edge_agent.demo.view import View
from edge_agent.inference.bundle import Bundle
from edge_agent.pipeline.window import WindowShape

PREFIX = "edge-agent-demo-"
"""Of the temporary directory's name."""

_SCRAPE_EVERY_S = 0.25
_PATIENCE_S = 60.0
_ALL_ROWS = 1_000_000


class Show:
    """One run of the demo.

    Args:
        plant: What is listened to.
        bundle: The models.
        seconds: Wall time in which the pump's life is played.
        view: Where it is shown.
    """

    def __init__(self, plant: Plant, bundle: Bundle, seconds: float, view: View) -> None:
        self._plant = plant
        self._bundle = bundle
        self._seconds = seconds
        self._view = view
        self.story = Story(WindowShape().window_s, plant.severity_at)

    @property
    def speed(self) -> float:
        """Times real time."""
        return self._plant.sound_s / self._seconds

    def run(self) -> None:
        """Run it; whatever was started is ended and whatever was written is gone when this returns or raises.

        Raises:
            DemoError: A part does not start or answer, or the agent lost count.
        """
        with TemporaryDirectory(prefix=PREFIX) as name:
            directory = Path(name)
            state_dir = directory / "state"
            life = directory / "pump.flac"
            commissioning = Commissioning(self._plant, self._bundle, directory / "normal", ProfileStore(state_dir))
            self._view.work(
                f"learning {self._plant.machine_id}: {RECORDINGS * RECORDING_S // 60} min normal", commissioning.steps()
            )
            for line in describe(commissioning.profile):
                self._view.say(f"  {line}")
            self._view.work(f"simulating its {self._plant.fault}", self._plant.record_life(life))
            self._listen(directory, state_dir, life)

    def _listen(self, directory: Path, state_dir: Path, life: Path) -> None:
        with ExitStack() as running:
            program = find_mosquitto()
            subscriber: Subscriber | None = None
            if program is None:
                broker_port = free_port()
                self._view.say(
                    "no mosquitto found (install it: sudo apt-get install mosquitto); going on without a broker: "
                    "the table reads /metrics, events wait in the outbox"
                )
            else:
                broker_port = running.enter_context(Broker(program, directory)).port
                subscriber = running.enter_context(Subscriber(broker_port, TOPICS))
                self._view.say(f"broker: mosquitto on 127.0.0.1:{broker_port}, topics {TOPICS.base}/#")
            agent = running.enter_context(
                Agent(
                    directory,
                    state_dir=state_dir,
                    bundle=self._bundle.root.resolve(),
                    machine_id=self._plant.machine_id,
                    recording=life,
                    speed=self.speed,
                    broker_port=broker_port,
                )
            )
            self._view.say(f"agent: process {agent.pid}, {agent.metrics_url}")
            with self._view.listening(self.story):
                self._follow(agent, subscriber)
            status = agent.stop()
            if status != 0:
                raise DemoError(f"the agent ended with status {status}")
            if subscriber is None:
                self._read_outbox(state_dir / "outbox.db")

    def _follow(self, agent: Agent, subscriber: Subscriber | None) -> None:
        """Until every sample has a fate and every event has arrived."""
        deadline_s = time.monotonic() + self._seconds + _PATIENCE_S
        while not self._is_over(live=subscriber is not None):
            if time.monotonic() > deadline_s:
                raise DemoError(f"the agent was not done after {self._seconds + _PATIENCE_S:.0f} s")
            if subscriber is not None:
                added = self.story.take(subscriber.take(_SCRAPE_EVERY_S))
                self.story.reading = agent.reading()
            else:
                time.sleep(_SCRAPE_EVERY_S)
                added = self.story.glimpse(agent.reading())
            self._view.update(self.story, added)

    def _is_over(self, *, live: bool) -> bool:
        reading = self.story.reading
        if reading is None or reading.captured < self._plant.sound_s * RATE_HZ or reading.pending:
            return False
        return not live or (reading.waiting == 0 and self.story.received >= reading.published > 0)

    def _read_outbox(self, path: Path) -> None:
        """What the broker would have got; the agent that held the file has ended."""
        outbox = SqliteOutbox(path)
        try:
            rows = [row for priority in Priority for row in outbox.read(priority, after_seq=0, limit=_ALL_ROWS)]
        finally:
            outbox.close()
        self.story.begin_again()
        self.story.take(parse_event(row.message.payload) for row in sorted(rows, key=lambda row: row.seq))
        self._view.update(self.story, [])
        self._view.say(f"outbox: {self.story.received} events wait for a broker")


def verdict(story: Story, plant: Plant) -> tuple[bool, str]:
    """Whether the demo showed what it is to show, and a sentence for a person."""
    if story.results == 0:
        return False, "FAILED: no result arrived."
    early = [alarm for alarm in story.alarms if alarm.start_s < plant.healthy_s]
    if early:
        return False, f"FAILED: an alarm was raised at {words.clock(early[0].start_s)}, while the pump was healthy."
    if not story.alarms:
        return False, f"FAILED: {plant.fault} grew to its full severity and no alarm was raised."
    reading = story.reading
    if reading is None or not reading.balances or reading.lost:
        return False, "FAILED: samples were lost or are unaccounted for."
    alarm = story.alarms[0]
    after_s = alarm.start_s + story.window_s - plant.healthy_s
    severity = plant.severity_at(alarm.start_s + story.window_s)
    return True, (
        f"Alarm raised {after_s:.0f} s of sound after the fault began, at {severity:.1%} of its full severity, "
        f"and none in the {plant.healthy_s} s before; {story.results} results, {story.received} events received."
    )
