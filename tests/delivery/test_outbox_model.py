"""The outbox on disk against a model: any sequence of puts, reads, deletes, closes and kills."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edge_agent.delivery.message import Message, Priority
from edge_agent.delivery.payload_codec import pack
from edge_agent.delivery.sqlite_outbox import SqliteOutbox
from tests.delivery import samples

MAKERS: dict[Priority, Callable[[], Message]] = {
    Priority.ALARM: samples.alarm_message,
    Priority.STATE: samples.state_message,
    Priority.RESULT: samples.result_message,
}


class OutboxMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="outbox-model-"))
        self.generation = 0
        self.model: list[Message] = []
        self.outbox = SqliteOutbox(self.path)

    @property
    def path(self) -> Path:
        directory = self.root / str(self.generation)
        directory.mkdir(exist_ok=True)
        return directory / "outbox.db"

    @rule(priority=st.sampled_from(Priority))
    def put(self, priority: Priority) -> None:
        message = MAKERS[priority]()
        self.outbox.put(message)
        self.model.append(message)

    @rule(priorities=st.lists(st.sampled_from(Priority), max_size=5))
    def put_together(self, priorities: list[Priority]) -> None:
        messages = [MAKERS[priority]() for priority in priorities]
        self.outbox.put_all(messages)
        self.model += messages

    @rule(index=st.integers(0, 50))
    def put_again(self, index: int) -> None:
        if self.model:
            self.outbox.put(self.model[index % len(self.model)])

    @rule(priority=st.sampled_from(Priority), count=st.integers(1, 4), skip=st.integers(0, 3))
    def acknowledge(self, priority: Priority, count: int, skip: int) -> None:
        rows = self.outbox.read(priority, after_seq=0, limit=count + skip)[skip:]
        self.outbox.delete(row.seq for row in rows)
        gone = {row.message.event_id for row in rows}
        self.model = [message for message in self.model if message.event_id not in gone]

    @rule()
    def reopen(self) -> None:
        self.outbox.close()
        self.outbox = SqliteOutbox(self.path)

    @rule(torn=st.binary(max_size=64))
    def kill(self, torn: bytes) -> None:
        """Carry on from the files as a kill leaves them, with the beginning of an unfinished write at the end."""
        left = self.path
        self.generation += 1
        for suffix in ("", "-wal"):
            if Path(f"{left}{suffix}").exists():
                shutil.copy(f"{left}{suffix}", f"{self.path}{suffix}")
        if Path(f"{self.path}-wal").exists():
            with Path(f"{self.path}-wal").open("ab") as wal:
                wal.write(torn)
        self.outbox.close()
        self.outbox = SqliteOutbox(self.path)

    @invariant()
    def nothing_is_lost_or_made_up(self) -> None:
        for priority in Priority:
            rows = self.outbox.read(priority, after_seq=0, limit=1000)
            assert [row.message for row in rows] == [m for m in self.model if m.priority is priority]

    @invariant()
    def the_books_agree(self) -> None:
        stats = self.outbox.stats()
        assert stats.total_rows == len(self.model)
        assert stats.payload_bytes == sum(len(pack(message.payload)) for message in self.model)
        assert not any(stats.dropped.values())
        assert stats.files_set_aside == 0

    def teardown(self) -> None:
        self.outbox.close()
        shutil.rmtree(self.root)


OutboxMachine.TestCase.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)
TestOutboxModel = OutboxMachine.TestCase
