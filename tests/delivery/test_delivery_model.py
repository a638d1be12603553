"""The outbox as the agent uses it, against a model: caps, ages, a stepping clock, a failing disk, kills in mid-drain.

The model knows what was accepted, what a broker took, and nothing of files; every event must be accounted for.
"""

from __future__ import annotations

import base64
import json
import random
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge_agent.delivery.dispatch import Dispatch, Outgoing
from edge_agent.delivery.errors import DeliveryError, Failure
from edge_agent.delivery.message import Message, Priority
from edge_agent.delivery.outbox import Dropped, Outbox, OutboxLimits, Row
from edge_agent.delivery.spill_outbox import SpillOutbox
from tests.delivery import samples
from tests.delivery.failing_disk import FailingDisk

HOUR_NS = 3600 * 10**9
WINDOW = 8
LIMITS = OutboxLimits(max_bytes=256 * 1024, max_age_s=24 * 3600.0, reserve_bytes=4096)
MAKERS: dict[Priority, Callable[..., Message]] = {
    Priority.ALARM: samples.alarm_message,
    Priority.STATE: samples.state_message,
    Priority.RESULT: samples.result_message,
}
_TAIL = b'"replayed":false}}'


class DeliveryMachine(RuleBasedStateMachine):
    """One agent, through all its lives."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="delivery-model-"))
        self.generation = 0
        self.now_ns = samples.TIME_NS
        self.random = random.Random(0)
        self.accepted: dict[str, Message] = {}
        """Every event that was accepted, in order."""
        self.taken: set[str] = set()
        """What the broker acknowledged."""
        self.lost_with_memory: set[str] = set()
        """What the disk refused and a kill then took: the one loss that is allowed."""
        self.may_have_aged: set[str] = set()
        self.under_way: list[Outgoing] = []
        self.dropped_before = 0

    @initialize()
    def begin(self) -> None:
        self._open()

    def _open(self) -> None:
        directory = self.root / str(self.generation)
        directory.mkdir(exist_ok=True)
        self.path = directory / "outbox.db"
        self.disk = FailingDisk(self.path, LIMITS)
        self.outbox = SpillOutbox(self.disk)
        self._connect()

    def _connect(self) -> None:
        self.dispatch = Dispatch(self.outbox, window=WINDOW, backlog_rate_per_s=50.0, now_s=0.0)
        self.now_s = 0.0
        self.connected_after = set(self.accepted)
        self.offered: set[str] = set()
        self.under_way = []

    @rule(priority=st.sampled_from(Priority), count=st.integers(1, 10), synced=st.booleans())
    def happen(self, priority: Priority, count: int, synced: bool) -> None:
        for number in range(count):
            self._put(_filled(MAKERS[priority](f"m{number % 3}"), self.random, self.now_ns, synced=synced))

    @rule(lane=st.sampled_from([Priority.RESULT, Priority.RESULT, Priority.STATE, Priority.ALARM]))
    def more_than_the_cap_bears(self, lane: Priority) -> None:
        for _ in range(6):
            self.happen_together([lane] * 20)

    @rule(priorities=st.lists(st.sampled_from(Priority), max_size=8))
    def happen_together(self, priorities: list[Priority]) -> None:
        messages = [_filled(MAKERS[each](), self.random, self.now_ns, synced=True) for each in priorities]
        try:
            self.outbox.put_all(messages)
        except DeliveryError:
            for message in messages:  # as the promise has it
                self._put(message)
        else:
            self.accepted |= {message.event_id: message for message in messages}

    def _put(self, message: Message) -> None:
        try:
            self.outbox.put(message)
        except DeliveryError as error:
            assert error.failure is Failure.FULL, error
            return
        self.accepted[message.event_id] = message

    @rule()
    def send(self) -> None:
        """Some go out, and are not answered yet."""
        self.now_s += 0.2
        try:
            sent = self.dispatch.take(self.now_s)
        except DeliveryError:
            assert self.disk.failing is not None
            return
        lanes = [
            (each.row.message.priority, each.row.message.priority is Priority.RESULT and each.replayed) for each in sent
        ]
        assert lanes == sorted(lanes)
        for outgoing in sent:
            event_id = outgoing.row.message.event_id
            again = outgoing.row.message.priority is Priority.RESULT and event_id in self.offered
            before = event_id in self.connected_after
            assert (outgoing.replayed or not before) and (before or again or not outgoing.replayed)
            payload = self.accepted[event_id].payload
            assert outgoing.payload == (_marked(payload) if outgoing.replayed else payload)
            assert outgoing.row.seq not in {each.row.seq for each in self.under_way}
            self.offered.add(event_id)
        self.under_way += sent
        assert len(self.under_way) <= WINDOW

    @precondition(lambda self: self.under_way)
    @rule(choice=st.randoms(use_true_random=False), killed=st.sampled_from([False, False, False, True]))
    def acknowledge(self, choice: random.Random, killed: bool) -> None:
        """The broker answers in any order, and the agent may be killed before it deletes the rows."""
        answered = choice.sample(self.under_way, choice.randint(1, len(self.under_way)))
        for outgoing in answered:
            self.under_way.remove(outgoing)
            self.dispatch.acknowledged(outgoing.row.seq)
            self.taken.add(outgoing.row.message.event_id)
        if killed:
            self.kill()
            return
        try:
            self.outbox.delete([outgoing.row.seq for outgoing in answered])
        except DeliveryError:
            assert self.disk.failing is not None

    @rule(choice=st.randoms(use_true_random=False))
    def refuse(self, choice: random.Random) -> None:
        for outgoing in choice.sample(self.under_way, len(self.under_way) // 2):
            self.under_way.remove(outgoing)
            self.dispatch.refused(outgoing.row.seq)

    @rule()
    def offer_again(self) -> None:
        self.dispatch.rewind()

    @rule()
    def reconnect(self) -> None:
        self._connect()

    @rule(hours=st.integers(-72, 72))
    def clock_steps(self, hours: int) -> None:
        self.now_ns += hours * HOUR_NS

    @rule(known=st.booleans())
    def maintain(self, known: bool) -> None:
        if known:
            oldest_ns = self.now_ns - 24 * HOUR_NS
            self.may_have_aged |= {
                event_id
                for event_id, message in self.accepted.items()
                if message.priority is Priority.RESULT and message.clock_synced and message.occurred_ns < oldest_ns
            }
        try:
            self.outbox.maintain(self.now_ns if known else None)
        except DeliveryError:
            assert self.disk.failing is not None

    @rule()
    def disk_fails(self) -> None:
        self.disk.failing = Failure.IO

    @rule()
    def disk_heals(self) -> None:
        self.disk.failing = None

    @precondition(lambda self: self.disk.failing is None)
    @rule()
    def restart(self) -> None:
        """What a file that is full of what is worth as much does not take is told in the log, and goes."""
        self._return_to_disk()
        self._end()
        self.outbox.close()
        self._open()

    @rule()
    def kill(self) -> None:
        """The next life finds the files as they are."""
        self._end()
        left = self.path
        self.generation += 1
        (self.root / str(self.generation)).mkdir()
        for part in left.parent.iterdir():
            shutil.copy(part, self.root / str(self.generation) / part.name)
        self.disk.failing = None
        self.disk.close()
        shutil.rmtree(left.parent)
        self._open()

    def _return_to_disk(self) -> None:
        assert self.outbox.retry() or self.outbox.stats().errors[Failure.FULL]

    def _end(self) -> None:
        """A life is over: its books are, and what is in memory goes with it."""
        self.dropped_before += sum(self.outbox.stats().dropped.values())
        self.lost_with_memory |= {row.message.event_id for row in _all_rows(self.outbox._memory)}

    @invariant()
    def every_event_is_accounted_for(self) -> None:
        if not hasattr(self, "outbox") or self.disk.failing is not None:
            return
        self._return_to_disk()
        rows = _all_rows(self.outbox)
        kept = {row.message.event_id: row.message for row in rows}
        assert len(kept) == len(rows), "told twice"
        assert all(
            replace(self.accepted[event_id], retain=kept[event_id].retain) == kept[event_id] for event_id in kept
        )
        gone = set(self.accepted) - set(kept) - self.taken - self.lost_with_memory
        assert not any(self.accepted[event_id].priority is Priority.ALARM for event_id in gone), "an alarm is gone"
        stats = self.outbox.stats()
        assert stats.total_rows == len(kept)
        assert dict(stats.rows) == {p: sum(m.priority is p for m in kept.values()) for p in Priority}
        dropped = self.dropped_before + sum(stats.dropped.values())
        # one that was taken, and dropped before it was forgotten, is no loss
        assert len(gone) <= dropped <= len(gone) + len(self.taken) + len(self.lost_with_memory)
        assert stats.dropped[Dropped.AGE] <= len(self.may_have_aged)
        assert not stats.dropped[Dropped.CORRUPT]
        assert stats.files_set_aside == 0
        self._the_oldest_went_first(kept, gone)

    def _the_oldest_went_first(self, kept: dict[str, Message], gone: set[str]) -> None:
        results = [i for i, m in self.accepted.items() if m.priority is Priority.RESULT]
        capped = [place for place, i in enumerate(results) if i in gone - self.may_have_aged]
        staying = [place for place, i in enumerate(results) if i in kept]
        if capped and staying:
            assert max(capped) < min(staying), "a newer result went before an older one"

    @invariant()
    def places_grow(self) -> None:
        if not hasattr(self, "outbox") or self.disk.failing is not None:
            return
        for priority in Priority:
            order = [row.message.event_id for row in self.outbox.read(priority, after_seq=0, limit=10_000)]
            accepted = [i for i, m in self.accepted.items() if m.priority is priority and i in set(order)]
            assert order == accepted

    @invariant()
    def the_file_keeps_its_cap(self) -> None:
        if hasattr(self, "path"):
            assert self.path.stat().st_size <= LIMITS.max_bytes

    def teardown(self) -> None:
        if not hasattr(self, "outbox"):
            return
        self.disk.failing = None
        self._return_to_disk()
        waiting = {row.message.event_id for row in _all_rows(self.outbox)}
        self._connect()
        arrived: set[str] = set()
        for _ in range(2000):
            self.now_s += 1.0
            if not (sent := self.dispatch.take(self.now_s)):
                break
            for outgoing in sent:
                arrived.add(str(json.loads(outgoing.payload)["id"]))
                self.outbox.delete([outgoing.row.seq])
                self.dispatch.acknowledged(outgoing.row.seq)
        assert arrived == waiting
        assert self.outbox.stats().total_rows == 0
        self.outbox.close()
        shutil.rmtree(self.root)


def _all_rows(outbox: Outbox) -> list[Row]:
    return [row for priority in Priority for row in outbox.read(priority, after_seq=0, limit=10_000)]


def _filled(message: Message, choose: random.Random, occurred_ns: int, *, synced: bool) -> Message:
    """Of some kilobytes that no packing makes small."""
    head = b'{"id":"' + message.event_id.encode() + b'","filling":"'
    payload = head + base64.b64encode(choose.randbytes(choose.choice([1000, 2500]))) + b'","data":{' + _TAIL
    return replace(message, payload=payload, occurred_ns=occurred_ns, clock_synced=synced)


def _marked(payload: bytes) -> bytes:
    return payload.removesuffix(_TAIL) + b'"replayed":true}}'


DeliveryMachine.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=25,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # to shrink a failure takes minutes, for files are written
)
TestDeliveryModel = DeliveryMachine.TestCase
