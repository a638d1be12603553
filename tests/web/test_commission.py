"""Commissioning from the page, on simulated sound through the real fit."""

import threading
import time
from collections.abc import Callable, Sequence

import pytest

from edge_agent.commissioning.items import Item, Level, SourceStatus
from edge_agent.commissioning.withhold import KEEP_ALL, Withhold
from edge_agent.detection.commission import Learnt
from edge_agent.detection.features import Recording
from edge_agent.detection.profile import Profile
from edge_agent.errors import CommandError
from edge_agent.web.commission import CommissionPages, Ear
from edge_agent.web.errors import WebError
from tests.commissioning.test_run import heard, teach
from tests.support.broker import wait_until


class Script:
    """A channel that gives what it is told to."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = list(items)

    def take(self, timeout_s: float) -> Item | None:
        if self._items:
            return self._items.pop(0)
        time.sleep(0.01)
        return None


class Taught:
    """A lesson whose bundle is the tests' own."""

    learn = staticmethod(teach)


class Teacher:
    """Learns by the real lesson, from a script."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items
        self.saved: list[tuple[Profile, int]] = []
        self.left = 0
        self.why_not: str | None = None
        self.source = SourceStatus("up", "")
        self.disk_full = False
        self.rule = KEEP_ALL

    def listen(self, machine: str) -> Ear:
        if machine != "pump_1":
            raise CommandError(f"{machine} is heard by no channel")
        return Script(self._items)

    def leave(self, ear: Ear) -> None:
        self.left += 1

    def lesson(self, machine: str) -> Taught:
        return Taught()

    def withhold(self) -> Withhold:
        return self.rule

    def save(self, profile: Profile, recordings: Sequence[Recording], lesson: Taught) -> None:
        if self.disk_full:
            raise CommandError("no room on the disk")
        self.saved.append((profile, len(recordings)))

    def describe(self, profile: Profile) -> list[str]:
        return [f"threshold {profile.threshold:.2f}"]

    def frozen(self, machine: str) -> str | None:
        return self.why_not

    def status(self, ear: Ear) -> SourceStatus:
        return self.source


MakePages = Callable[..., tuple[CommissionPages, Teacher]]


@pytest.fixture
def make() -> MakePages:
    def build(now_s: Callable[[], float] = time.monotonic) -> tuple[CommissionPages, Teacher]:
        teacher = Teacher([Level(-30.0, -20.0, 0), *(heard(index) for index in range(12))])
        return CommissionPages(teacher, now_s), teacher

    return build


def _until(pages: CommissionPages, phase: str | None) -> None:
    wait_until(lambda: pages.standing("pump_1")["phase"] == phase, 60.0, f"phase {phase}")


def test_it_is_learnt_shown_and_taken(make: MakePages) -> None:
    pages, teacher = make()
    begun = pages.step("pump_1", {"action": "start", "minutes": 1})
    assert begun["phase"] in {"listening", "learnt"}
    _until(pages, "learnt")
    standing = pages.standing("pump_1")
    assert standing["rms_dbfs"] == -30.0
    assert standing["verdict"][0].startswith("threshold")
    assert pages.changes({})["commissions"][0]["machine"] == "pump_1"
    assert teacher.saved == []
    assert pages.step("pump_1", {"action": "accept"})["phase"] is None
    [(_, recordings)] = teacher.saved
    assert recordings >= 2
    assert teacher.left == 1
    assert pages.changes({}) == {}


def test_the_verdict_says_what_is_not_kept_and_it_is_not(make: MakePages) -> None:
    pages, teacher = make()
    teacher.rule = Withhold(lambda _: True, "as somebody may speak in them")
    pages.step("pump_1", {"action": "start", "minutes": 1})
    _until(pages, "learnt")
    assert "windows, as somebody may speak in them" in pages.standing("pump_1")["verdict"][-1]
    pages.step("pump_1", {"action": "accept"})
    assert [recordings for _, recordings in teacher.saved] == [0]


def test_it_can_be_left(make: MakePages) -> None:
    pages, teacher = make()
    pages.step("pump_1", {"action": "start", "minutes": 1})
    _until(pages, "learnt")
    pages.step("pump_1", {"action": "discard"})
    assert (pages.standing("pump_1")["phase"], teacher.saved, teacher.left) == (None, [], 1)


def test_too_little_is_refused_and_can_go_on(make: MakePages) -> None:
    pages, _ = make()
    pages.step("pump_1", {"action": "start", "minutes": 200})
    wait_until(lambda: pages.standing("pump_1")["windows"] >= 1, 30.0, "a window")
    pages.step("pump_1", {"action": "discard"})
    with pytest.raises(WebError, match="not being commissioned"):
        pages.step("pump_1", {"action": "conclude"})


def test_one_at_a_time(make: MakePages) -> None:
    pages, _ = make()
    pages.step("pump_1", {"action": "start", "minutes": 200})
    with pytest.raises(WebError, match="already"):
        pages.step("pump_1", {"action": "start", "minutes": 10})
    pages.close()


def test_nothing_is_learnt_of_a_machine_in_alarm(make: MakePages) -> None:
    pages, teacher = make()
    teacher.why_not = "pump_1 is in alarm"
    with pytest.raises(WebError, match="in alarm"):
        pages.step("pump_1", {"action": "start"})


@pytest.mark.parametrize(
    "body",
    [
        {"action": "start", "minutes": 0},
        {"action": "start", "minutes": "ten"},
        {"action": "start", "minutes": True},
        {"action": "start", "minutes": 1e9},
        {"action": "start", "state": "../x"},
        {"action": "start", "state": 7},
        {"action": "explode"},
        {},
    ],
)
def test_nonsense_is_refused(make: MakePages, body: dict[str, object]) -> None:
    pages, teacher = make()
    with pytest.raises(WebError):
        pages.step("pump_1", body)
    assert teacher.saved == []


def test_a_machine_that_nobody_hears_is_named(make: MakePages) -> None:
    pages, _ = make()
    with pytest.raises(WebError, match="heard by no channel"):
        pages.step("fan_9", {"action": "start"})


def test_a_disk_that_refuses_is_told(make: MakePages) -> None:
    pages, teacher = make()
    teacher.disk_full = True
    pages.step("pump_1", {"action": "start", "minutes": 1})
    _until(pages, "learnt")
    with pytest.raises(WebError, match="no room"):
        pages.step("pump_1", {"action": "accept"})
    assert pages.standing("pump_1")["phase"] == "learnt", "what was heard for minutes is not thrown away"
    teacher.disk_full = False
    assert pages.step("pump_1", {"action": "accept"})["phase"] is None
    assert len(teacher.saved) == 1


def test_a_verdict_that_nobody_takes_is_forgotten(make: MakePages) -> None:
    now_s = 0.0
    pages, teacher = make(lambda: now_s)
    pages.step("pump_1", {"action": "start", "minutes": 1})
    _until(pages, "learnt")
    now_s = 1000.0
    _until(pages, None)
    assert teacher.left == 1


def test_what_led_to_an_alarm_is_not_learnt(make: MakePages) -> None:
    pages, teacher = make()
    pages.step("pump_1", {"action": "start", "minutes": 200})
    wait_until(lambda: pages.standing("pump_1")["windows"] >= 3, 30.0, "windows")
    teacher.why_not = "pump_1 is in alarm"
    _until(pages, "stopped")
    assert "thrown away" in pages.standing("pump_1")["refusal"]
    teacher.why_not = None
    for action in ("conclude", "go_on", "accept"):
        with pytest.raises(WebError, match="while it is stopped"):
            pages.step("pump_1", {"action": action})
    assert pages.step("pump_1", {"action": "discard"})["phase"] is None
    assert teacher.saved == []


def test_a_verdict_is_not_taken_while_the_machine_is_in_alarm(make: MakePages) -> None:
    pages, teacher = make()
    pages.step("pump_1", {"action": "start", "minutes": 1})
    _until(pages, "learnt")
    teacher.why_not = "pump_1 is in alarm"
    with pytest.raises(WebError, match="in alarm"):
        pages.step("pump_1", {"action": "accept"})
    assert (pages.standing("pump_1")["phase"], teacher.saved) == ("stopped", [])


def test_every_page_is_told_that_it_ended(make: MakePages) -> None:
    pages, _ = make()
    seen: dict[str, int] = {}
    assert pages.changes(seen) == {}
    pages.step("pump_1", {"action": "start", "minutes": 1})
    assert [each["machine"] for each in pages.changes(seen)["commissions"]] == ["pump_1"]
    _until(pages, "learnt")
    pages.changes(seen)
    pages.step("pump_1", {"action": "discard"})
    assert (pages.changes(seen), pages.changes(seen)) == ({"commissions": []}, {})


def test_a_fit_holds_up_nobody_who_looks(make: MakePages, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(recordings: Sequence[Recording]) -> Learnt:
        begun.set()
        assert go_on.wait(60.0)
        return teach(recordings)

    monkeypatch.setattr(Taught, "learn", staticmethod(slow))
    pages, _ = make()
    pages.step("pump_1", {"action": "start", "minutes": 200})
    wait_until(lambda: pages.standing("pump_1")["windows"] >= 4, 30.0, "windows")
    learner = threading.Thread(target=pages.step, args=("pump_1", {"action": "conclude"}))
    learner.start()
    try:
        assert begun.wait(30.0)
        assert pages.changes({})["commissions"][0]["phase"] == pages.standing("pump_1")["phase"]
    finally:
        go_on.set()
        learner.join()
    assert pages.standing("pump_1")["phase"] == "learnt"
    pages.close()


def test_a_source_that_goes_away_shows_no_level(make: MakePages) -> None:
    pages, teacher = make()
    pages.step("pump_1", {"action": "start", "minutes": 200})
    wait_until(lambda: pages.standing("pump_1")["rms_dbfs"] == -30.0, 30.0, "a level")
    teacher.source = SourceStatus("down", "unplugged")
    wait_until(lambda: pages.standing("pump_1")["rms_dbfs"] is None, 30.0, "no level")
    standing = pages.standing("pump_1")
    assert (standing["source"], standing["notes"][-1]["text"]) == ("down", "down: unplugged")
    pages.close()
