"""The map of embeddings is made anew when what it shows has changed, whoever changed it, and not before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert, select, update

from tests.support.clips import BUNDLE
from tests.support.hub import Hub
from tests.support.hub_clips import clip_id
from training_hub.api.app import make_app
from training_hub.catalogue.tables import Clip, Machine
from training_hub.catalogue.types import utc_now
from training_hub.web.pages import map as map_page
from training_hub.web.queries.shown import Shown, only_came
from training_hub.web.revised import RevisedCache

OURS = BUNDLE["sha256"]
OTHER = "0" * 64
CLIPS = 30


@dataclass
class Map:
    """A hub's map, with a count of how often it was made and the hub's clock in hand."""

    hub: Hub
    ids: list[str]
    operator: TestClient
    clock: list[float]
    made: list[int]

    def points(self, client: TestClient | None = None) -> dict[str, list[Any]]:
        answer = (client or self.operator).get("/map/points", params={"bundle": OURS})
        assert answer.status_code == 200, answer.text
        found: dict[str, list[Any]] = answer.json()
        return found

    def shows(self, column: str, id_: str) -> object:
        found = self.points()
        return found[column][found["ids"].index(id_)]

    def does(self, deed: str, id_: str, **more: object) -> None:
        answer = self.operator.post(f"/api/v1/clips/{deed}", json={"ids": [id_], **more})
        assert answer.status_code == 200, answer.text

    def writes(self, *statements: Any) -> None:  # noqa: ANN401
        """Behind the catalogue's back."""
        with self.hub.parts.database.transaction() as session:
            for statement in statements:
                session.execute(statement)

    def comes(self, number: int, origin: str = "gateway") -> str:
        """A clip like the newest one of ours, received now."""
        with self.hub.parts.database.transaction() as session:
            row = session.execute(select(Clip.__table__).where(Clip.id == self.ids[CLIPS - 1])).mappings().one()
            now = utc_now() + timedelta(milliseconds=1)  # clocks may stand still between two requests
            came = {**row, "id": clip_id(number), "heard_at": now, "received_at": now, "origin": origin, "label": None}
            session.execute(insert(Clip).values(came))
        return clip_id(number)


@pytest.fixture
def shown_map(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Map:
    """Of thirty clips, and twenty by another bundle."""
    ids = hub.fill(clips=CLIPS + 20)
    rng = np.random.default_rng(1)
    with hub.parts.database.transaction() as session:
        for place, id_ in enumerate(ids):
            embedding = rng.normal(size=16).astype("<f2").tobytes()
            heard_by = {"embedding": embedding, "bundle_sha256": OURS if place < CLIPS else OTHER}
            session.execute(update(Clip).where(Clip.id == id_).values(heard_by))
    clock, made = [1000.0], [0]
    hub.app.state.answers = RevisedCache(most_bytes=1 << 24, fresh_s=60, most_age_s=600, now_s=lambda: clock[0])
    make = map_page._points

    def counted(*arguments: Any) -> bytes:  # noqa: ANN401
        made[0] += 1
        return make(*arguments)

    monkeypatch.setattr(map_page, "_points", counted)
    found = Map(hub, ids, hub.person("operator"), clock, made)
    first = found.points()
    assert sorted(first["ids"]) == sorted(ids[:CLIPS]) and len(first["x"]) == len(first["y"]) == CLIPS
    return found


def test_whatever_changes_shows_at_once_by_one_new_map(shown_map: Map) -> None:
    one, another = shown_map.ids[7:9]

    def verdict(word: str) -> Callable[[], None]:
        return lambda: shown_map.writes(update(Clip).where(Clip.id == one).values(verdict=word))

    def swap() -> None:
        shown_map.does("restore", one)
        shown_map.does("delete", another)

    steps: list[tuple[str, Callable[[], object], Callable[[], object], object]] = [
        ("a label", lambda: shown_map.does("label", one, label="leak"), lambda: shown_map.shows("label", one), "leak"),
        ("another", lambda: shown_map.does("label", one, label="wear"), lambda: shown_map.shows("label", one), "wear"),
        ("none", lambda: shown_map.does("label", one, label=None), lambda: shown_map.shows("label", one), None),
        ("a deletion", lambda: shown_map.does("delete", one), lambda: one in shown_map.points()["ids"], False),
        ("one back, one gone", swap, lambda: {one, another} & {*shown_map.points()["ids"]}, {one}),
        ("a restoration", lambda: shown_map.does("restore", another), lambda: len(shown_map.points()["x"]), CLIPS),
        ("a verdict", verdict("suspect"), lambda: shown_map.shows("verdict", one), "suspect"),
        ("a machine", lambda: shown_map.writes(update(Machine).values(type="grinder")),
         lambda: shown_map.shows("type", one), "grinder"),
        ("an upload", lambda: shown_map.comes(900, origin="upload"), lambda: len(shown_map.points()["x"]), CLIPS + 1),
    ]  # fmt: skip
    for name, change, shows, expected in steps:
        shown_map.made[0] = 0
        change()
        assert shows() == expected, name
        assert shows() == expected and shown_map.made[0] == 1, name


def test_what_it_does_not_show_makes_no_new_map(shown_map: Map) -> None:
    first = shown_map.points()
    shown_map.does("label", shown_map.ids[-1], label="leak")  # heard by the other bundle
    shown_map.does("delete", shown_map.ids[-2])
    engineer = shown_map.hub.person("engineer")  # an account and a visit, each in the audit log
    shown_map.hub.gateway_key("plant_9", "gw_9")
    assert shown_map.points(engineer) == first
    assert shown_map.made[0] == 1


def test_clips_that_come_show_within_a_minute(shown_map: Map) -> None:
    came = [shown_map.comes(900)]
    assert came[0] not in shown_map.points()["ids"]
    came.append(shown_map.comes(901))
    shown_map.clock[0] += 59
    assert shown_map.made[0] == 1 and came[0] not in shown_map.points()["ids"]
    shown_map.clock[0] += 2
    assert set(came) <= set(shown_map.points()["ids"]) and shown_map.made[0] == 2
    came.append(shown_map.comes(902))
    shown_map.does("label", came[0], label="leak")
    assert shown_map.shows("label", came[0]) == "leak", "a deed shows at once, whatever came beside"
    assert came[2] in shown_map.points()["ids"] and shown_map.made[0] == 3


def test_another_process_of_the_hub_shows_what_is_done_by_the_first(shown_map: Map) -> None:
    other = TestClient(make_app(shown_map.hub.parts), cookies=shown_map.operator.cookies)
    assert shown_map.points(other) == shown_map.points()
    shown_map.does("label", shown_map.ids[7], label="leak")
    found = shown_map.points(other)
    assert found["label"][found["ids"].index(shown_map.ids[7])] == "leak"


def test_who_has_no_account_sees_none(shown_map: Map) -> None:
    nobody = shown_map.hub.anonymous().get("/map/points", params={"bundle": OURS}, follow_redirects=False)
    assert nobody.status_code in (303, 401)


def test_on_a_full_map_those_that_come_push_the_oldest_out(hub: Hub) -> None:
    now = utc_now()
    former = Shown("d\nc\nb\na", now, most=4)
    cases = {
        "one came, the oldest went": ("e\nd\nc\nb", True),
        "one came, another went": ("e\nd\nc\na", False),
        "one came, two went": ("e\nd\nc", False),
        "one came, and one is labelled": ("e\nd\nc\x1fleak\nb", False),
        "one is labelled": ("d\nc\x1fleak\nb\na", False),
        "one went": ("d\nc\nb", False),
        "all went": ("", False),
        "an older one came in the place of one that went": ("d\nc\na\nz", False),
    }
    with hub.parts.database.transaction(writes=False) as session:
        for name, (lines, expected) in cases.items():
            assert only_came(session, former, Shown(lines, now, most=4)) is expected, name
