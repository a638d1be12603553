"""Clips reach the hub whatever happens on the way, once, and only then count as sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_agent.clips.books import StoreLimits
from edge_agent.clips.encode import flac_bytes
from edge_agent.clips.errors import ClipError
from edge_agent.clips.reasons import Reason
from edge_agent.clips.sidecar import OperatorLabel, Sidecar, SpeechNote
from edge_agent.clips.store import ClipStore
from edge_agent.delivery.fields import rfc3339
from edge_agent.sync.errors import HubError, Trouble
from edge_agent.sync.marks import Aside, SyncMarks
from edge_agent.sync.outbound import ReadyClips
from edge_agent.sync.wire import Instructions, SharedLabel
from tests.clips.samples import START_NS, ids, sidecar
from tests.support.contract_hub import Answer, ContractHub
from tests.sync.gateway import Gateway


@pytest.fixture
def hub() -> Iterator[ContractHub]:
    with ContractHub() as hub:
        yield hub


@pytest.fixture
def gateway(tmp_path: Path, hub: ContractHub) -> Gateway:
    return Gateway(tmp_path, hub.url)


def test_a_clip_is_marked_only_by_its_receipt(gateway: Gateway, hub: ContractHub) -> None:
    kept = gateway.keep(3)
    marked_before: list[bool] = []

    def watch(method: str, path: str) -> Answer | None:
        if "/records/" in path:
            marked_before.append(path.rsplit("/", 1)[1] in gateway.synced())
        return None

    hub.answer_with = watch
    gateway.run(gateway.open())
    assert marked_before == [False] * 3
    assert gateway.synced() == {clip.id for clip in kept} == hub.kept.records.keys()
    assert hub.kept.files == {clip.sha256: gateway.store.payload_path(clip).read_bytes() for clip in kept}
    assert all(gateway.store.find(clip.id).synced_at is not None for clip in kept)
    assert hub.requests["PUT /clips/*"] == hub.requests["PUT /clips/*/records/*"] == 3


def test_the_same_file_goes_once_however_many_clips_hold_it(gateway: Gateway, hub: ContractHub) -> None:
    make, payload = ids(), flac_bytes(np.arange(4000, dtype=np.int16))
    for _ in range(3):
        gateway.store.put(sidecar(next(make), Reason.NOVEL), payload)
    gateway.run(gateway.open())
    assert (len(hub.kept.files), len(hub.kept.records), hub.requests["PUT /clips/*"]) == (1, 3, 1)


def test_alarms_go_first(gateway: Gateway, hub: ContractHub) -> None:
    (plain,) = gateway.keep(1, Reason.NOVEL)
    (alarm,) = gateway.keep(1, Reason.ALARM, alarm=next(ids(START_NS + 10**12)))
    gateway.run(gateway.open())
    assert list(hub.kept.records) == [alarm.id, plain.id]


CUTS = ["POST /clips/missing", "PUT /clips/*", "PUT /clips/*/records/*"]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("done", [False, True], ids=["before it is done", "after it is done"])
def test_an_interruption_anywhere_costs_a_repeat_and_no_clip(
    gateway: Gateway, hub: ContractHub, cut: str, done: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.keep(3)
    failures = iter([503, 500, 503])
    handle = hub._do

    def failing(method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        name = next(reversed(hub.requests))
        answer = handle(method, path, body, headers) if done or name != cut else (0, {}, b"")
        if name == cut and (status := next(failures, None)) is not None:
            return status, {}, b""
        return answer if answer[0] else handle(method, path, body, headers)

    monkeypatch.setattr(hub, "_do", failing)
    gateway.run(gateway.open(reports=False), until_s=600, until=lambda: len(gateway.synced()) == 3)
    assert next(failures, None) is None
    assert len(gateway.synced()) == len(hub.kept.records) == len(hub.kept.files) == 3


def test_a_hub_that_comes_late_gets_everything_and_the_log_says_so_twice(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with ContractHub() as once:
        port = once.port
    gateway = Gateway(tmp_path, f"http://127.0.0.1:{port}")
    gateway.keep(2)
    sync = gateway.open()
    gateway.run(sync, until_s=3600)
    assert gateway.synced() == set()
    assert gateway.line is not None and gateway.line.books.failures[Trouble.AWAY.value] < 40
    with ContractHub(port=port) as hub:
        gateway.run(sync, until_s=600, until=lambda: len(gateway.synced()) == 2)
        assert gateway.synced() == hub.kept.records.keys() and len(hub.kept.records) == 2
    lines = [record.message for record in caplog.records if "hub" in record.message or "127.0.0.1" in record.message]
    assert len([line for line in lines if "cannot be reached" in line]) == 1
    assert len([line for line in lines if "the hub answers" in line]) == 1


def test_retry_after_is_honoured(gateway: Gateway, hub: ContractHub) -> None:
    gateway.keep(1)
    asked_s: list[float] = []

    def busy(method: str, path: str) -> Answer | None:
        asked_s.append(gateway.clock.s)
        return (429, {"Retry-After": "200"}, b"") if len(asked_s) == 1 else None

    hub.answer_with = busy
    gateway.run(gateway.open(), until_s=300)
    assert asked_s[1] - asked_s[0] >= 200
    assert len(gateway.synced()) == 1


def test_a_key_that_is_not_known_is_tried_seldom_and_said(
    gateway: Gateway, hub: ContractHub, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.keep(1)
    hub.answer_with = lambda _method, _path: (401, {}, b'{"detail": "no such key"}')
    sync = gateway.open()
    gateway.run(sync, until_s=3600)
    assert hub.requests.total() <= 5
    said = [record.message for record in caplog.records if "does not let this gateway in" in record.message]
    assert len(said) == 1 and "no such key" in said[0] and "hub.key_file" in said[0]
    assert gateway.line is not None and gateway.line.books.trouble is Trouble.DENIED
    with pytest.raises(HubError, match="401"):
        sync.rounds.once()
    assert gateway.synced() == set()


@pytest.mark.parametrize(
    ("status", "reason"),
    [(403, Aside.REFUSED), (409, Aside.CONFLICT), (413, Aside.TOO_LARGE), (415, Aside.REFUSED), (422, Aside.DAMAGED)],
)
def test_a_refused_clip_is_set_aside_and_keeps_no_other_back(
    gateway: Gateway, hub: ContractHub, status: int, reason: Aside
) -> None:
    bad, good = gateway.keep(2)

    def refuse(method: str, path: str) -> Answer | None:
        return (status, {}, b'{"detail": "not like this"}') if bad.id in path else None

    hub.answer_with = refuse
    gateway.run(gateway.open(), until_s=100)
    assert gateway.synced() == {good.id}
    marks = SyncMarks(gateway.state_dir)
    (aside,) = marks.aside()
    assert (aside.clip, aside.reason) == (bad.id, reason) and "not like this" in aside.why
    assert hub.requests["PUT /clips/*/records/*"] <= 3
    gateway.run(gateway.open(), until_s=100)  # a restart does not try it again ...
    assert hub.requests["PUT /clips/*/records/*"] <= 3
    hub.answer_with = lambda _method, _path: None
    assert marks.retry() == 1  # ... a person may
    gateway.run(gateway.open())
    assert gateway.synced() == {good.id, bad.id}


def test_a_damaged_file_is_set_aside(gateway: Gateway, hub: ContractHub) -> None:
    (clip,) = gateway.keep(1)
    path = gateway.store.payload_path(clip)
    path.write_bytes(flac_bytes(np.zeros(100, np.int16)))  # sound, but not what was written
    gateway.run(gateway.open())
    assert [each.reason for each in SyncMarks(gateway.state_dir).aside()] == [Aside.DAMAGED]
    assert not hub.kept.records and not gateway.synced()


class Judge:
    def __init__(self, *refused: str) -> None:
        self.refused = refused
        self.asked: list[str] = []

    def refuses(self, sidecar: Sidecar, payload: Path) -> str | None:
        self.asked.append(sidecar.id)
        return "somebody may speak" if sidecar.id in self.refused else None


def _ready(gateway: Gateway, judge: Judge, name: str = "drop:a") -> ReadyClips:
    marks = SyncMarks(gateway.state_dir)
    return ReadyClips(gateway.store, marks, lambda: (judge, name), now_ns=gateway.clock.now_ns)


def test_a_clip_with_speech_stays_and_is_judged_once_by_each_judge(gateway: Gateway) -> None:
    spoken, clear = gateway.keep(2)
    judge = Judge(spoken.id)
    ready = _ready(gateway, judge)
    assert [clip.id for clip in ready.choose(10)] == [clear.id] == [clip.id for clip in ready.choose(10)]
    assert sorted(judge.asked) == sorted([spoken.id, clear.id])
    assert ready.waiting()[0] == 1
    again = Judge(spoken.id)
    assert [clip.id for clip in _ready(gateway, again).choose(10)] == [clear.id]
    assert again.asked == [clear.id]
    better = Judge()
    assert len(_ready(gateway, better, "drop:b").choose(10)) == 2
    assert gateway.store.find(spoken.id).synced_at is None


def test_the_real_screen_is_asked(tmp_path: Path, hub: ContractHub) -> None:
    gateway = Gateway(tmp_path, hub.url)
    gateway.settings = gateway.settings.model_copy(
        update={"clips": gateway.settings.clips.model_copy(update={"speech": "drop"})}
    )
    gateway.keep(1)
    gateway.run(gateway.open())
    assert len(hub.kept.records) == 1  # noise holds no speech; what does is shown in tests/clips/test_screen.py


def test_many_refused_clips_hide_no_good_one(gateway: Gateway) -> None:
    kept = gateway.keep(40)
    judge = Judge(*(clip.id for clip in kept[1:]))
    assert [clip.id for clip in _ready(gateway, judge).choose(4)] == [kept[0].id]


def test_only_alarms_go_outside_the_hours(tmp_path: Path, hub: ContractHub) -> None:
    gateway = Gateway(tmp_path, hub.url, schedule={"between": "00:00-00:00"})
    gateway.keep(1)
    gateway.run(gateway.open())
    assert len(gateway.synced()) == 1  # 00:00-00:00 is the whole day
    sync = gateway.open()
    assert sync.ready is not None
    uploader = sync.rounds._clips
    assert uploader is not None
    uploader._hours = type("Never", (), {"hold": lambda *_: False})()  # type: ignore[attr-defined]
    gateway.keep(2)
    (alarm,) = gateway.keep(1, Reason.ALARM)
    gateway.run(sync)
    assert len(gateway.synced()) == 2 and alarm.id in gateway.synced()


def test_a_random_clip_waits_until_its_place_is_settled(gateway: Gateway) -> None:
    settles_ns = gateway.clock.now_ns() + 300 * 10**9
    gateway.keep(1, Reason.RANDOM, slot="19675.1/6", settles_at=rfc3339(settles_ns))
    sync = gateway.open()
    gateway.run(sync, until_s=200)
    assert gateway.synced() == set()
    gateway.run(sync, until_s=300)
    assert len(gateway.synced()) == 1


def _labelled(clip: Sidecar, text: str, at_ns: int) -> Sidecar:
    return clip.model_copy(update={"label": OperatorLabel(label=text, operator="anna", at=rfc3339(at_ns))})


def test_labels_travel_both_ways_after_the_clip(gateway: Gateway, hub: ContractHub) -> None:
    up, down, newer = gateway.keep(3)
    sync = gateway.open()
    gateway.run(sync)
    now_ns = gateway.clock.now_ns()
    gateway.store.change(up.id, lambda clip: _labelled(clip, "bearing", now_ns))
    gateway.store.change(newer.id, lambda clip: _labelled(clip, "normal", now_ns))
    shared = [
        SharedLabel(clip=clip.id, label="from_hub", operator="ben", at=rfc3339(now_ns - 10**9))
        for clip in (down, newer)
    ]
    gone = SharedLabel(clip=next(ids(START_NS + 10**15)), label="x", operator="ben", at=rfc3339(now_ns))
    hub.instructions = Instructions(labels=(*shared, gone), report_after_s=3600.0)
    gateway.run(sync)
    assert [hub.kept.records[clip.id].sidecar.label.label for clip in (up, newer)] == ["bearing", "normal"]  # type: ignore[union-attr]
    assert gateway.store.find(down.id).label == OperatorLabel(label="from_hub", operator="ben", at=shared[0].at)
    assert gateway.store.find(newer.id).label.label == "normal"  # type: ignore[union-attr]  # said later, and here
    assert hub.kept.records[down.id].sidecar.label is None, "a label of the hub does not go back up"
    repeats = hub.requests["PUT /clips/*/records/*"]
    gateway.run(sync)
    assert hub.requests["PUT /clips/*/records/*"] == repeats, "told once"
    gateway.store.change(up.id, lambda clip: clip.model_copy(update={"label": None}))
    gateway.run(sync)
    assert hub.kept.records[up.id].sidecar.label is None


def test_sync_never_deletes_and_an_unacknowledged_alarm_outlives_the_quota(tmp_path: Path, hub: ContractHub) -> None:
    gateway = Gateway(tmp_path, hub.url)
    alarms = gateway.keep(3, Reason.ALARM)
    hub.answer_with = lambda _method, path: (500, {}, b"") if "/records/" in path else None
    gateway.run(gateway.open(), until_s=30)
    assert len(hub.kept.files) >= 1 and not gateway.synced()
    gateway.store.close()
    full = ClipStore(gateway.store.root, StoreLimits(max_bytes=3 * 20_000 + 1000, min_free_bytes=0))
    make = ids(START_NS + 10**14)
    for _ in range(5):
        with pytest.raises(ClipError, match="no room"):
            full.put(sidecar(next(make), Reason.RANDOM, start_ns=START_NS + 10**15), bytes(100_000))
    assert {row.id for row in full.rows()} == {clip.id for clip in alarms}


def test_masked_and_log_mel_clips_go_with_their_type(gateway: Gateway, hub: ContractHub) -> None:
    make = ids()
    note = SpeechNote(policy="mask", verdict="masked", masked=((0.1, 0.2),))
    gateway.store.put(sidecar(next(make), Reason.NOVEL, speech=note), flac_bytes(np.ones(100, np.int16)))
    sound = sidecar(next(make)).sound.model_copy(update={"kind": "log_mel"})
    kept = gateway.store.put(sidecar(next(make), Reason.NOVEL, sound=sound), _npz())
    gateway.run(gateway.open())
    assert len(hub.kept.records) == 2
    assert hub.kept.records[kept.id].sidecar.sound.kind == "log_mel"


def _npz() -> bytes:
    from edge_agent.clips.encode import log_mel_bytes

    frames = np.zeros((10, 128), np.float32)
    return log_mel_bytes(frames, first_frame=0, machine="fan_1", name="x", roll_db=frames)
