"""Clips over HTTP: pages, filters, files, changes, and who may."""

from __future__ import annotations

import io
import zlib

import pytest
import soundfile

from tests.support.hub import Hub
from tests.support.hub_clips import add_clip, clip_id, gateway_row, machine_row

_CLIPS = "/api/v1/clips"


@pytest.fixture
def filled(hub: Hub) -> Hub:
    with hub.parts.database.transaction() as session:
        fan = machine_row(session, "fan_1", "fan", "plant_2")
        gateway = gateway_row(session)
        for number in range(6):
            more = {"machine": fan} if number % 2 else {"gateway": gateway, "verdict": "suspect", "score": 1.0 + number}
            add_clip(session, hub.parts.objects, number, **more)
    return hub


def test_pages_lead_through_all_clips(filled: Hub) -> None:
    client = filled.person("viewer")
    seen = []
    after: dict[str, str] = {}
    while True:
        answer = client.get(_CLIPS, params={"limit": 4, "count": "true", "sort": "heard_at", **after}).json()
        seen += [clip["id"] for clip in answer["clips"]]
        assert answer["total"] == 6
        if answer["next"] is None:
            break
        after = {"after": answer["next"]}
    assert seen == [clip_id(n) for n in range(6)]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("machine=fan_1", 3),
        ("site=plant_1&type=pump", 3),
        ("gateway=gw_1", 3),
        ("verdict=suspect", 3),
        ("labelled=true", 0),
        ("text=fan", 3),
        ("since=2026-01-01T00:04:00Z", 2),
        ("until=2026-01-01T01:01:00%2B01:00", 1),
        ("dataset=training", 0),
        ("deleted=yes", 0),
        ("deleted=both", 6),
        ("since=0001-01-01T00:00:00%2B14:00", 6),
        ("until=9999-12-31T23:59:59-14:00", 6),
    ],
)
def test_filters(query: str, count: int, filled: Hub) -> None:
    answer = filled.script("viewer").get(f"{_CLIPS}?{query}&count=true")
    assert answer.status_code == 200, answer.text
    assert (len(answer.json()["clips"]), answer.json()["total"]) == (count, count)


def test_what_fits_no_filter_is_refused_in_words(filled: Hub) -> None:
    client = filled.script("viewer")
    for query in ("dataset=old", "machine=a%00b", "text=%00", "since=yesterday", "limit=0", "limit=9" + "9" * 30,
                  "sort=id", "alarm=x", "after=%20", "since=2026-01-01T00:00:00"):  # fmt: skip
        answer = client.get(f"{_CLIPS}?{query}")
        assert answer.status_code == 422, (query, answer.text)
        assert answer.json()["detail"][0]["loc"][0] == "query"
    answer = client.get(f"{_CLIPS}?after=AAAA")
    assert answer.status_code == 400 and "cursor" in answer.json()["detail"]


def test_counts(filled: Hub) -> None:
    answer = filled.script("viewer").get(f"{_CLIPS}/counts?by=machine").json()
    assert answer["total"] == 6
    assert {row["value"]: row["clips"] for row in answer["counts"]} == {"fan_1": 3, "pump_1": 3}


def test_a_label_moves_the_clip_and_stands_in_its_history(filled: Hub) -> None:
    client = filled.person("operator")
    first = client.post(f"{_CLIPS}/{clip_id(0)}/label", json={"label": "Normal"})
    assert first.status_code == 200, first.text
    assert (first.json()["dataset"], first.json()["label"]) == ("training", "normal")
    again = client.patch(f"{_CLIPS}/{clip_id(0)}/label", json={"label": "bearing", "note": "squeaks"})
    assert again.json()["dataset"] == "validation"
    detail = client.get(f"{_CLIPS}/{clip_id(0)}").json()
    assert [(one["label"], one["by"], one["note"]) for one in detail["labels"]] == [
        ("bearing", "user:operator", "squeaks"), ("normal", "user:operator", None)]  # fmt: skip
    refused = client.post(f"{_CLIPS}/{clip_id(0)}/dataset", json={"dataset": "training"})
    assert refused.status_code == 409 and "bearing" in refused.json()["detail"]
    many = client.post(f"{_CLIPS}/label", json={"ids": [clip_id(2), clip_id(4)], "label": "normal"})
    assert [clip["dataset"] for clip in many.json()["clips"]] == ["training"] * 2
    missing = client.post(f"{_CLIPS}/label", json={"ids": [clip_id(2), clip_id(77)], "label": None})
    assert missing.status_code == 404
    assert client.get(f"{_CLIPS}/{clip_id(2)}").json()["label"] == "normal"


def test_delete_restore_purge(filled: Hub) -> None:
    operator, admin = filled.script("operator"), filled.script("admin")
    assert operator.delete(f"{_CLIPS}/{clip_id(1)}").json()["deleted_at"] is not None
    assert operator.delete(f"{_CLIPS}/{clip_id(1)}").status_code == 409
    assert operator.delete(f"{_CLIPS}/{clip_id(9)}").status_code == 404
    assert len(operator.get(_CLIPS).json()["clips"]) == 5
    assert operator.post(f"{_CLIPS}/{clip_id(1)}/restore").json()["deleted_at"] is None
    assert operator.post(f"{_CLIPS}/{clip_id(1)}/restore").status_code == 409
    assert len(operator.post(f"{_CLIPS}/delete", json={"ids": [clip_id(1), clip_id(3)]}).json()["clips"]) == 2
    assert operator.post(f"{_CLIPS}/restore", json={"ids": [clip_id(3)]}).status_code == 200
    wish = {"deleted_before": "2100-01-01T00:00:00Z"}
    assert operator.post(f"{_CLIPS}/purge", json=wish).status_code == 403
    assert admin.post(f"{_CLIPS}/purge", json=wish).json() == {"purged": 1}
    assert operator.get(f"{_CLIPS}/{clip_id(1)}").status_code == 404
    log = admin.get("/api/v1/audit?action=clip&limit=100").json()["entries"]
    assert [entry["action"] for entry in log].count("clip.purge") == 1


def test_viewers_look_and_nobody_else_does(filled: Hub) -> None:
    viewer, nobody = filled.person("viewer"), filled.anonymous()
    assert nobody.get(_CLIPS).status_code == 401
    for client, status in ((viewer, 403), (nobody, 401)):
        assert client.post(f"{_CLIPS}/{clip_id(0)}/label", json={"label": "normal"}).status_code == status
        assert client.delete(f"{_CLIPS}/{clip_id(0)}").status_code == status
    del viewer.headers["X-CSRF-Token"]
    assert viewer.get(_CLIPS).status_code == 200
    operator = filled.person("operator")
    del operator.headers["X-CSRF-Token"]
    assert operator.delete(f"{_CLIPS}/{clip_id(0)}").status_code == 403


def test_a_clip_is_heard_and_seen(filled: Hub) -> None:
    client = filled.script("viewer")
    detail = client.get(f"{_CLIPS}/{clip_id(0)}").json()
    flac = client.get(detail["audio_url"])
    assert flac.headers["content-type"] == "audio/flac" and len(flac.content) == detail["size_bytes"]
    wav = client.get(f"{detail['audio_url']}?format=wav")
    samples, rate_hz = soundfile.read(io.BytesIO(wav.content), dtype="int16")
    assert rate_hz == 16_000 and (samples == soundfile.read(io.BytesIO(flac.content), dtype="int16")[0]).all()
    assert client.get(detail["audio_url"], headers={"If-None-Match": flac.headers["etag"]}).status_code == 304
    picture = client.get(detail["spectrogram_url"])
    assert picture.headers["content-type"] == "image/png"
    width, height = int.from_bytes(picture.content[16:20], "big"), int.from_bytes(picture.content[20:24], "big")
    assert (width, height) == (30, 128)  # a second of frames 32 ms apart
    assert zlib.crc32(picture.content[12:29]) == int.from_bytes(picture.content[29:33], "big")


@pytest.mark.parametrize(
    ("wanted", "status", "part"),
    [
        ("bytes=0-3", 206, slice(0, 4)),
        ("bytes=10-", 206, slice(10, None)),
        ("bytes=-5", 206, slice(-5, None)),
        ("bytes=0-999999999", 206, slice(0, None)),
        ("bytes=999999999-", 416, None),
        ("bytes=5-2", 416, None),
        ("bytes=-0", 416, None),
        ("bytes=0-1,3-4", 200, slice(0, None)),
        ("furlongs=1-2", 200, slice(0, None)),
        ("bytes=" + "9" * 400 + "-", 200, slice(0, None)),
    ],
)
def test_ranges(wanted: str, status: int, part: slice | None, filled: Hub) -> None:
    client = filled.script("viewer")
    url = f"{_CLIPS}/{clip_id(0)}/audio"
    whole = client.get(url).content
    answer = client.get(url, headers={"Range": wanted})
    assert answer.status_code == status
    if part is not None:
        assert answer.content == whole[part]
    if status == 206:
        assert answer.headers["content-range"].endswith(f"/{len(whole)}")


def test_the_nearest_normal_is_named_by_spectrum_where_there_is_no_embedding(filled: Hub) -> None:
    client = filled.script("operator")
    assert client.get(f"{_CLIPS}/{clip_id(0)}").json()["nearest_normal"] is None
    client.post(f"{_CLIPS}/label", json={"ids": [clip_id(2), clip_id(4), clip_id(3)], "label": "normal"})
    near = client.get(f"{_CLIPS}/{clip_id(0)}").json()["nearest_normal"]
    assert near["clip"] in (clip_id(2), clip_id(4)) and near["by"] == "spectrum"
    assert 0 <= near["distance"] < 0.5


def test_hostile_json_is_refused_in_words(filled: Hub) -> None:
    client = filled.script("operator")
    url = f"{_CLIPS}/{clip_id(0)}/label"
    bodies = (
        b'{"label": "a\\u0000b"}', b'{"label": "\\ud800"}', b'{"\\udfff": 1, "label": "x"}', b'{"label": NaN}',
        b'{"label": 1e999}', b'{"label": "x", "more": 1}', b"[" * 100_000, b"\xff\xfe", b"", b'{"label": ""}',
        b'{"label": "' + b"x" * 200 + b'"}', b'{"label": ' + b"9" * 5000 + b"}",
    )  # fmt: skip
    for body in bodies:
        answer = client.post(url, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (400, 422), (body[:40], answer.status_code, answer.text)
        assert answer.json()["detail"]
    assert client.get(f"{_CLIPS}/{clip_id(0)}").json()["label"] is None
