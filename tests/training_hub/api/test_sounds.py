"""Sounds over HTTP."""

from __future__ import annotations

import base64
import io

import soundfile

from tests.support.hub import Hub
from tests.support.hub_clips import hum


def _wav(seconds: float, **more: object) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, hum(seconds, **more), 16_000, format="WAV")  # type: ignore[arg-type]
    return file.getvalue()


def test_add_then_test_as_it_is_and_as_a_form(hub: Hub) -> None:
    client = hub.person("operator")
    where = {"site": "plant_1", "machine": "pump_1", "type": "pump", "label": "normal", "name": "../a/pump.wav"}
    sound = _wav(45.0)
    added = client.post(
        "/api/v1/sounds", params=where, content=sound, headers={"Content-Type": "application/octet-stream"}
    )
    assert added.status_code == 201, added.text
    clips = added.json()["clips"]
    assert [clip["state"] for clip in clips] == ["added"] * 4
    assert {clip["clip"]["dataset"] for clip in clips} == {"training"}
    again = client.post("/api/v1/sounds", params=where, files={"file": ("pump.wav", sound, "audio/wav")})
    assert [clip["state"] for clip in again.json()["clips"]] == ["repeated"] * 4
    assert again.json()["file_sha256"] == added.json()["file_sha256"]
    detail = client.get(f"/api/v1/clips/{clips[1]['clip']['id']}").json()
    assert detail["sidecar"]["file_name"] == "pump.wav"
    assert detail["nearest_normal"]["by"] == "embedding"

    tested = client.post(
        "/api/v1/sounds/test",
        params={"site": "plant_1", "machine": "pump_1"},
        files={"file": ("t.wav", _wav(10.0, seed=8))},
    )
    assert tested.status_code == 200, tested.text
    answer = tested.json()
    assert answer["judgement"]["verdict"] in ("normal", "anomalous")
    assert 0 <= answer["judgement"]["probability"] <= 1 and len(answer["judgement"]["bands"]) > 20
    assert answer["nearest_machine"]["machine"] == "pump_1"
    assert base64.b64decode(answer["spectrogram_png"]).startswith(b"\x89PNG")


def test_what_is_refused(hub: Hub) -> None:
    client = hub.script("operator")
    url, where = "/api/v1/sounds", {"site": "plant_1", "machine": "pump_1", "type": "pump"}
    binary = {"Content-Type": "application/octet-stream"}
    bound = {"Content-Type": "multipart/form-data; boundary=x"}
    form = {"Content-Type": "multipart/form-data"}
    cases = (
        (url, {**where, "label": "normal"}, {"content": b"no sound at all" * 50, "headers": binary}, 415),
        (url, {**where, "label": "normal"}, {"content": b"", "headers": binary}, 400),
        (url, where, {"content": _wav(2.0), "headers": binary}, 400),
        (url, {**where, "site": "../x", "label": "normal"}, {"content": _wav(2.0), "headers": binary}, 422),
        (url, {**where, "label": "normal"}, {"files": {"sound": ("a.wav", _wav(2.0))}}, 400),
        (url, {**where, "label": "normal"}, {"content": b"--x", "headers": form}, 400),
        (url, {**where, "label": "normal"}, {"content": b"--y\r\n", "headers": bound}, 400),
        (f"{url}/test", {"machine": "pump_1"}, {"content": _wav(2.0), "headers": binary}, 400),
        (f"{url}/test", {"site": "a", "machine": "b"}, {"content": _wav(2.0), "headers": binary}, 404),
        (f"{url}/test", {"bundle": "0" * 64}, {"content": _wav(2.0), "headers": binary}, 404),
        (f"{url}/test", {"start_s": "nan"}, {"content": _wav(2.0), "headers": binary}, 422),
        (f"{url}/test", {"start_s": "100"}, {"content": _wav(2.0), "headers": binary}, 400),
    )  # fmt: skip
    for place, params, body, status in cases:
        answer = client.post(place, params=params, **body)  # type: ignore[arg-type]
        assert answer.status_code == status, (place, params, answer.status_code, answer.text)
        assert answer.json()["detail"]
    assert client.get("/api/v1/clips?deleted=both").json()["clips"] == []
    assert (
        hub.script("viewer")
        .post(url, params={**where, "label": "normal"}, content=_wav(2.0), headers=binary)
        .status_code
        == 403
    )
    assert not list((hub.parts.state_dir / "scratch").glob("upload-*"))


def test_a_file_beyond_the_limit_is_refused_while_it_comes(hub: Hub) -> None:
    limit = hub.parts.settings.sounds.max_upload_bytes

    def endless() -> object:
        for _ in range(limit // (1 << 20) + 2):
            yield bytes(1 << 20)

    answer = hub.script("operator").post(
        "/api/v1/sounds/test",
        content=endless(),
        headers={"Content-Type": "application/octet-stream"},  # type: ignore[arg-type]
    )
    assert answer.status_code == 413
