"""What became of the events of an agent that was killed again and again: pure, from three books that know not of each
other: what the outbox's file committed, what a subscriber heard, and what the agent's sample ledger said in time.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from tests.faults.outbox_witness import Accepted
from tests.support.broker import Heard

HOP_S = 10.0


@dataclass(frozen=True)
class Books:
    """What the agent's ledger said at one moment of a life.

    Attributes:
        windows: Finished windows of each machine.
        held: Events not on the disk yet.
        waiting: Events in the outbox.
        ended: Whether all sound was heard to its end.
    """

    windows: Mapping[str, int]
    held: int = 0
    waiting: int = 0
    ended: bool = False


@dataclass(frozen=True)
class Verdict:
    """What became of the events.

    Attributes:
        agent_kills, broker_kills: How often.
        accepted: Events that the outbox committed; `alarms` of them tell of alarms.
        heard: Different events that the subscriber heard.
        repeated: How often one was heard again.
        visible_duplicates: Events that a subscriber that keeps a set of ids shows twice: told anew under another id.
        restated: Words on where an alarm stands that the agent says at a connection, through the outbox (and marked as
            no announcement) or, of alarms that never were, without it.
        lost: Accepted and never heard.
        altered: Heard otherwise than accepted, `replayed` apart.
        invented: Heard and never accepted, and no word on an alarm that was.
        holes: Windows that are missing or told twice between the first and the last of a machine's life.
        untold: Windows that the ledger had finished and no event tells of.
        windows: Results accepted.
    """

    agent_kills: int
    broker_kills: int
    accepted: int
    alarms: int
    windows: int
    heard: int
    repeated: int
    visible_duplicates: int
    restated: int
    lost: tuple[str, ...]
    altered: tuple[str, ...]
    invented: tuple[str, ...]
    holes: tuple[str, ...]
    untold: tuple[str, ...]

    @property
    def kept_its_promise(self) -> bool:
        """Whether nothing is wrong."""
        wrong = self.lost or self.altered or self.invented or self.holes or self.untold
        return not (wrong or self.visible_duplicates)

    def in_words(self) -> str:
        """The figures that were promised."""
        return (
            f"{self.agent_kills + self.broker_kills} kills -9 ({self.agent_kills} of the agent, {self.broker_kills} of"
            f" the broker): {len(self.lost)} of {self.accepted} accepted events lost, {self.visible_duplicates} visible"
            f" duplicates at a subscriber that keeps a set of ids ({self.repeated} repeats under a known id)"
        )


def judge(
    accepted: Sequence[Accepted], heard: Iterable[Heard], books: Sequence[Books], kills: tuple[int, int]
) -> Verdict:
    """Compare the three."""
    committed = {each.event_id: each for each in accepted}
    contents = {each.event_id: _content(json.loads(each.payload)) for each in accepted}
    alarms = {json.loads(each.payload)["data"]["alarm"] for each in accepted if _is_alarm(each.topic)}
    counts: Counter[str] = Counter()
    told: dict[tuple[str, str], str] = {}
    altered, invented, restated, duplicates = set[str](), set[str](), set[str](), set[str]()
    for each in heard:
        if each.topic.endswith("/status"):  # birth and will: they are no events of the outbox
            continue
        event = json.loads(each.payload)
        event_id = str(event["id"])
        if event_id not in contents:
            known = _is_alarm(each.topic) and (event["data"]["alarm"] in alarms or event["data"]["state"] == "normal")
            (restated if known else invented).add(event_id)
            continue
        counts[event_id] += 1
        if contents[event_id] != _content(event) or committed[event_id].topic != each.topic:
            altered.add(event_id)
        if told.setdefault((each.topic, _data(event)), event_id) != event_id:
            (restated if event["data"].get("announce") is False else duplicates).add(event_id)
    lives = _windows(accepted)
    return Verdict(
        agent_kills=kills[0],
        broker_kills=kills[1],
        accepted=len(accepted),
        alarms=sum(_is_alarm(each.topic) for each in accepted),
        windows=sum(map(len, lives.values())),
        heard=len(counts),
        repeated=counts.total() - len(counts),
        visible_duplicates=len(duplicates),
        restated=len(restated),
        lost=tuple(
            f"{i} ({'acknowledged' if committed[i].gone else 'waits'})" for i in sorted(set(committed) - set(counts))
        ),
        altered=tuple(sorted(altered)),
        invented=tuple(sorted(invented)),
        holes=tuple(_holes(lives)),
        untold=tuple(_untold(lives, books)),
    )


def _is_alarm(topic: str) -> bool:
    return topic.endswith("/alarm")


def _content(event: dict[str, Any]) -> str:
    return json.dumps({**event, "data": {**event["data"], "replayed": None}}, sort_keys=True)


def _data(event: dict[str, Any]) -> str:
    return json.dumps({**event["data"], "replayed": None}, sort_keys=True)


def _windows(accepted: Iterable[Accepted]) -> dict[tuple[int, str], list[float]]:
    """Starts of the windows of each life and machine, in the order of acceptance."""
    lives: dict[tuple[int, str], list[float]] = defaultdict(list)
    for each in accepted:
        if each.topic.endswith("/result"):
            data = json.loads(each.payload)["data"]
            lives[each.life, data["machine"]].append(datetime.fromisoformat(data["window_start"]).timestamp())
    return lives


def _holes(lives: Mapping[tuple[int, str], Sequence[float]]) -> Iterable[str]:
    for (life, machine), starts in lives.items():
        for before, after in pairwise(starts):
            if abs(after - before - HOP_S) > 0.01:
                yield f"life {life}, {machine}: {after - before:.3f} s from a window to the next"


def _untold(lives: Mapping[tuple[int, str], Sequence[float]], books: Sequence[Books]) -> Iterable[str]:
    for life, book in enumerate(books, start=1):
        for machine, windows in book.windows.items():
            told = len(lives.get((life, machine), ()))
            # between the ledger's entry and the event's commit stands at most one window of a machine that was killed
            if (told != windows) if book.ended else (told < windows - 1):
                yield f"life {life}, {machine}: {windows} windows finished, {told} told"
