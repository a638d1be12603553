"""A reporter with a real outbox in memory, and what came of it."""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from edge_agent.agent.alarming.conditions import ConditionRules
from edge_agent.agent.alarming.desk import AlarmDesk
from edge_agent.agent.telling.reporter import Reporter
from edge_agent.agent.telling.sender import Sender
from edge_agent.alarms.rules import AlarmRules
from edge_agent.capture.clock import VirtualClock
from edge_agent.delivery.intake import Intake
from edge_agent.delivery.message import MessageFactory, Priority
from edge_agent.delivery.outbox import MemoryOutbox
from edge_agent.delivery.result import BundleRef
from edge_agent.delivery.topics import Topics
from edge_agent.delivery.ulid import UlidFactory
from edge_agent.detection.alarm import AlarmMachine
from edge_agent.detection.budget import AlarmBudget
from edge_agent.observe.health import Health, HealthLimits, Kind
from edge_agent.observe.metrics import Metrics
from tests.support.windows import START_NS, event, heard

BUNDLE = BundleRef(name="default", version="1.0.0", sha256="a" * 64)


@dataclass
class Desk:
    """A reporter with a real outbox in memory, and what came of it."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    outbox: MemoryOutbox = field(default_factory=MemoryOutbox)
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(wall_ns=START_NS))
    health: Health = field(default_factory=lambda: Health(HealthLimits()))
    alarms: AlarmMachine = field(default_factory=lambda: AlarmMachine(AlarmBudget(raise_after=3, raise_within=5)))
    machines: tuple[str, ...] = ("fan_1",)
    randomness: Callable[[int], bytes] = bytes
    publishes: bool = True
    state_dir: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="edge-agent-desk-")))

    def __post_init__(self) -> None:
        self.health.register("mic", Kind.SOURCE, now_s=0.0)
        ulids = UlidFactory(now_ms=lambda: self.clock.wall_ns() // 1_000_000, randomness=self.randomness)
        self.metrics = metrics = Metrics(self.registry)
        self.topics = Topics("root", "plant", "gw")
        self.messages = messages = MessageFactory(self.topics, ulids)
        self.intake = Intake(self.outbox, lambda: None)
        sender = Sender(messages, self.intake if self.publishes else None, metrics)
        self.desk = AlarmDesk(
            self.state_dir,
            rules=AlarmRules(),
            conditions=ConditionRules(),
            gateway="gw",
            machines=self.machines,
            new_id=ulids,
            send=sender.send,
            metrics=metrics,
            clock=self.clock,
            held=lambda: sender.holds,
        )
        self.reporter = Reporter(
            sender=sender,
            alarms=self.desk,
            metrics=metrics,
            health=self.health,
            bundle=BUNDLE,
            clock=self.clock,
            machines_of={"mic": self.machines},
        )

    def play(self, scores: list[float | None], first: int = 0) -> None:
        for index, score in enumerate(scores, first):
            self.reporter.window(event("mic", index, heard("fan_1", index, score, self.alarms)))

    def sent(self, priority: Priority, ending: str = "") -> list[dict[str, Any]]:
        rows = self.outbox.read(priority, after_seq=0, limit=10_000)
        return [json.loads(r.message.payload)["data"] for r in rows if r.message.topic.endswith(ending)]

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"edge_agent_{name}", labels)
