"""Clips come in: whole or not at all, once each, and only from the gateway that heard them."""

from __future__ import annotations

import io
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile
from sqlalchemy import func, select

from tests.support.clips import SentClip, make_clip, sound_of
from tests.support.hub import Hub
from training_hub.accounts.gateways import set_gateway_disabled
from training_hub.catalogue.tables import Clip, Label, Machine, StoredObject


def _counts(hub: Hub) -> tuple[int, int]:
    """Rows of objects and of clips."""
    with hub.parts.database.transaction(writes=False) as session:
        return (
            session.scalar(select(func.count()).select_from(StoredObject)) or 0,
            session.scalar(select(func.count()).select_from(Clip)) or 0,
        )


@pytest.mark.parametrize("log_mel", [False, True], ids=["sound", "log-mel"])
def test_a_clip_comes_in_and_is_read_back(hub: Hub, log_mel: bool) -> None:
    clip, gateway = make_clip(1, log_mel=log_mel), hub.gateway()
    assert clip.put_file(gateway).status_code == 201
    assert _counts(hub) == (1, 0), "a file without a record is not listed"
    answer = clip.put_record(gateway)
    assert answer.status_code == 201, answer.text
    assert answer.json() == {"id": clip.id, "sha256": clip.sha256, "repeated": False}
    assert hub.parts.objects.get(clip.sha256) == clip.content
    with hub.parts.database.transaction(writes=False) as session:
        row = session.scalars(select(Clip)).one()
        assert (row.machine.site, row.machine.name, row.machine.type) == ("plant_1", "pump_1", "pump")
        assert (row.kind, row.reason, row.verdict) == ("log_mel" if log_mel else "audio", "random", "normal")
        assert row.heard_at.isoformat() == "2026-03-02T08:00:30+00:00"
        assert row.sidecar == clip.sidecar | {"schema_version": 1} | {
            "sound": row.sidecar["sound"], "speech": row.sidecar["speech"], "picture_bytes": 0, "pinned": False,
        }  # fmt: skip


def test_sent_again_it_is_a_repetition(hub: Hub) -> None:
    clip, gateway = make_clip(1), hub.gateway()
    clip.put(gateway)
    assert clip.put_file(gateway).status_code == 200
    answer = clip.put_record(gateway)
    assert (answer.status_code, answer.json()["repeated"]) == (200, True)
    assert _counts(hub) == (1, 1)


def test_a_gateway_disabled_between_two_requests_is_refused_the_second(hub: Hub) -> None:
    first, second, gateway = make_clip(1), make_clip(2), hub.gateway()
    assert first.put_file(gateway).status_code == 201
    with hub.parts.database.transaction() as session:
        set_gateway_disabled(session, "plant_1", "gw_1", True, by="hub")
    assert second.put_file(gateway).status_code == 401, "although its key was good a moment ago"
    assert first.put_record(gateway).status_code == 401
    assert _counts(hub) == (1, 0) and not hub.parts.objects.has(second.sha256)
    with hub.parts.database.transaction() as session:
        set_gateway_disabled(session, "plant_1", "gw_1", False, by="hub")
    assert second.put(gateway).status_code == 201


def test_what_is_no_record_is_said_as_everywhere(hub: Hub) -> None:
    clip, gateway = make_clip(1), hub.gateway()
    clip.put_file(gateway)
    place = f"/api/v1/clips/{clip.sha256}/records/{clip.id}"
    for content in (b"{", b"[]", b'{"sidecar": {}}'):
        answer = gateway.put(place, content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422 and answer.json()["detail"], content
    assert gateway.put(f"/api/v1/clips/{clip.sha256}/records/x", json=clip.record).status_code == 422
    assert gateway.put("/api/v1/clips/x", content=clip.content).status_code == 422
    assert gateway.put(place, json=clip.record, headers={"Content-Type": "application/json; charset=utf-8"}).is_success


def test_sent_a_hundred_times_at_once_it_is_one_object_and_one_row(hub: Hub) -> None:
    clip, gateway = make_clip(1), hub.gateway()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: clip.put(gateway), range(100)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 99}
    assert _counts(hub) == (1, 1)
    assert [sha256 for sha256, _ in hub.parts.objects.stored()] == [clip.sha256]


def test_two_clips_may_have_the_same_sound(hub: Hub) -> None:
    gateway = hub.gateway()
    first, second = make_clip(1), make_clip(2, content=sound_of(1))
    assert first.put(gateway).status_code == 201
    assert second.put(gateway).status_code == 201
    assert _counts(hub) == (1, 2)


def _wav() -> bytes:
    out = io.BytesIO()
    soundfile.write(out, np.zeros(1600, np.int16), 16_000, format="WAV")
    return out.getvalue()


def _flac(rate_hz: int = 16_000, channels: int = 1, subtype: str = "PCM_16") -> bytes:
    out = io.BytesIO()
    soundfile.write(out, np.zeros((1600, channels), np.int16), rate_hz, format="FLAC", subtype=subtype)
    return out.getvalue()


def _npz(**arrays: object) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)  # type: ignore[arg-type]
    return out.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"fLaC",
        b"hello",
        _wav(),
        _flac(rate_hz=44_100),
        _flac(channels=2),
        _flac(subtype="PCM_24"),
        sound_of(3, 2.0)[:-5000],
        _npz(other=np.zeros(3)),
        _npz(log_mel_db=np.full((1, 8, 128), np.nan, np.float32)),
        _npz(log_mel_db=np.array([{"a": 1}], object)),
        _npz(log_mel_db=np.zeros((1, 8, 128), np.float32))[:-40],
    ],
    ids=[
        "empty", "only a mark", "text", "WAV", "44.1 kHz", "stereo", "24 bit", "cut off", "no log-mel", "NaN", "pickle",
        "cut npz",
    ],
)  # fmt: skip
def test_what_is_no_clip_is_refused_and_leaves_nothing(hub: Hub, content: bytes) -> None:
    answer = make_clip(1, content=content or b"x").put_file(hub.gateway()) if content else _put_empty(hub)
    assert answer.status_code == 415, answer.text
    assert _counts(hub) == (0, 0)
    assert list(hub.parts.objects.stored()) == []


def _put_empty(hub: Hub):  # type: ignore[no-untyped-def]  # noqa: ANN202
    import hashlib

    return hub.gateway().put(f"/api/v1/clips/{hashlib.sha256(b'').hexdigest()}", content=b"")


def test_another_hash_is_refused(hub: Hub) -> None:
    clip = make_clip(1)
    answer = hub.gateway().put(f"/api/v1/clips/{'0' * 64}", content=clip.content)
    assert answer.status_code == 422
    assert _counts(hub) == (0, 0)


def test_too_large_a_file_is_refused(hub: Hub) -> None:
    answer = hub.gateway().put(
        f"/api/v1/clips/{'0' * 64}", content=bytes((16 << 20) + 1), headers={"Content-Type": "audio/flac"}
    )
    assert answer.status_code == 413
    assert _counts(hub) == (0, 0)


def test_json_that_is_too_large_is_refused_before_it_is_read(hub: Hub) -> None:
    answer = hub.gateway().post("/api/v1/events", content=bytes((8 << 20) + 1), headers={"Content-Type": "text/json"})
    assert answer.status_code == 413


def test_only_gateways_send(hub: Hub) -> None:
    clip = make_clip(1)
    for client in (hub.anonymous(), hub.person("admin"), hub.script("admin")):
        assert clip.put_file(client).status_code == 401
        assert clip.put_record(client).status_code == 401


def test_a_record_needs_its_file(hub: Hub) -> None:
    answer = make_clip(1).put_record(hub.gateway())
    assert answer.status_code == 409
    assert "PUT /clips/" in answer.json()["detail"]


def test_a_gateway_sends_only_its_own(hub: Hub) -> None:
    clip = make_clip(1, gateway="gw_1")
    other = hub.gateway(name="gw_2")
    clip.put_file(other)
    assert clip.put_record(other).status_code == 403
    assert _counts(hub) == (1, 0)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"size_bytes": 7}, 422),
        ({"sha256": "0" * 64}, 422),
        ({"id": "01KGRS8E000000000000000009"}, 422),
        ({"machine": "../etc"}, 422),
        ({"unheard_of": 1}, 422),
    ],
    ids=["size", "hash", "id", "machine", "unknown key"],
)
def test_a_record_must_fit_its_file_and_address(hub: Hub, changes: dict[str, object], status: int) -> None:
    clip, gateway = make_clip(1), hub.gateway()
    clip.put_file(gateway)
    body = {"sidecar": clip.sidecar | changes, "agent_version": "0.1.0"}
    answer = gateway.put(f"/api/v1/clips/{clip.sha256}/records/{clip.id}", json=body)
    assert answer.status_code == status, answer.text
    assert _counts(hub) == (1, 0)


def test_an_id_stays_one_clips(hub: Hub) -> None:
    gateway = hub.gateway()
    clip, other = make_clip(1), make_clip(1, content=sound_of(99))
    clip.put(gateway)
    assert other.put(gateway).status_code == 409
    changed = SentClip(clip.content, clip.sidecar | {"machine": "fan_1"})
    assert changed.put_record(gateway).status_code == 409
    with hub.parts.database.transaction(writes=False) as session:
        assert session.scalars(select(Clip)).one().sha256 == clip.sha256


def test_a_label_from_the_gateway_is_merged_once_and_the_newer_one_wins(hub: Hub) -> None:
    gateway, clip = hub.gateway(), make_clip(1)
    clip.put(gateway)
    early = {"label": "bearing", "operator": "otto", "at": "2026-03-03T10:00:00.000000Z"}
    for _ in range(2):
        labelled = SentClip(clip.content, clip.sidecar | {"label": early, "pinned": True})
        assert labelled.put_record(gateway).status_code == 200
    with hub.parts.database.transaction() as session:
        row = session.scalars(select(Clip)).one()
        assert (row.label, row.anomalous, row.dataset) == ("bearing", True, "validation")
        assert row.labelled_by == "gateway:plant_1/gw_1"
        assert row.sidecar is not None
        assert row.sidecar["pinned"] is True
        assert session.scalar(select(func.count()).select_from(Label)) == 1
        row.label, row.anomalous, row.labelled_by = "normal", False, "user:anna"
    older = SentClip(clip.content, clip.sidecar | {"label": early | {"operator": "emil"}})
    assert older.put_record(gateway).status_code == 200
    with hub.parts.database.transaction(writes=False) as session:
        assert session.scalars(select(Clip)).one().label == "normal", "the hub's label is the newer one"


def test_the_hub_says_what_it_has_not_got(hub: Hub) -> None:
    gateway, clip = hub.gateway(), make_clip(1)
    clip.put_file(gateway)
    answer = gateway.post("/api/v1/clips/missing", json={"sha256": ["a" * 64, clip.sha256]})
    assert answer.json() == {"sha256": ["a" * 64]}


def test_a_machine_belongs_to_the_gateway_that_heard_it_last(hub: Hub) -> None:
    make_clip(1, gateway="gw_1").put(hub.gateway(name="gw_1"))
    make_clip(2, gateway="gw_2").put(hub.gateway(name="gw_2"))
    with hub.parts.database.transaction(writes=False) as session:
        machine = session.scalars(select(Machine)).one()
        assert session.scalars(select(Clip).where(Clip.id == make_clip(2).id)).one().gateway_id == machine.gateway_id
