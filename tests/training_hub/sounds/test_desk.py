"""A sound is tested and added; real bundle, real profile."""

import base64
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support.hub_clips import hum
from tests.training_hub.sounds.conftest import upload_of
from training_hub.catalogue.labelling import Deed
from training_hub.catalogue.tables import AuditEntry, Clip, Label, StoredObject
from training_hub.parts import HubParts
from training_hub.sounds.adding import Addition, SoundAdder
from training_hub.sounds.desk import SoundDesk
from training_hub.sounds.errors import Refusal, SoundError
from training_hub.sounds.reading import frames_of, picture_of, samples_of, wav_of

_DEED = Deed("user:olga", datetime(2026, 3, 4, 5, 6, tzinfo=UTC))
_NORMAL = Addition("plant_1", "pump_1", "pump", label="Normal")


def _file(path: Path, sound: np.ndarray, rate_hz: int = 16_000) -> Path:
    soundfile.write(path, sound, rate_hz)
    return path


def test_a_recording_becomes_clips_of_ten_seconds_once(parts: HubParts, desk: SoundDesk, tmp_path: Path) -> None:
    adder = SoundAdder(desk)
    upload = upload_of(_file(tmp_path / "pump.wav", hum(29.0, 44_100), 44_100))
    added = adder.add(upload, _NORMAL, _DEED)
    assert [one.state for one in added] == ["added"] * 3
    assert [one.clip.duration_s for one in added] == pytest.approx([10.0, 10.0, 9.0], abs=0.01)
    assert len({one.clip.recording for one in added}) == 1
    again = adder.add(upload, _NORMAL, _DEED)
    assert [(one.clip.id, one.state) for one in again] == [(one.clip.id, "repeated") for one in added]
    with parts.database.transaction(writes=False) as session:
        clips = session.query(Clip).order_by(Clip.heard_at).all()
        assert [(c.dataset, c.label, c.anomalous, c.labelled_by) for c in clips] == [
            ("training", "normal", False, "user:olga")
        ] * 3
        assert session.query(Label).count() == session.query(AuditEntry).count() == session.query(StoredObject).count()
        assert session.query(Label).count() == 3
        note = clips[1].sidecar
        assert note is not None
        assert (note["file_name"], note["file_sha256"], note["start_s"]) == ("pump.wav", upload.sha256, 10.0)
        assert clips[0].embedding is not None and len(clips[0].embedding) == 256
        content = parts.objects.get(clips[0].sha256)
    assert samples_of(content, name="x").shape == (160_000,)
    assert wav_of(content, name="x")[:4] == b"RIFF"
    assert picture_of(frames_of(content, "audio", name="x")).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("label", "external", "dataset"),
    [("normal", False, "training"), ("bearing", False, "validation"), (None, True, "external"),
     ("bearing", True, "external")],
)  # fmt: skip
def test_where_an_added_sound_goes(
    label: str | None, external: bool, dataset: str, desk: SoundDesk, tmp_path: Path
) -> None:
    upload = upload_of(_file(tmp_path / "a.flac", hum(4.0)))
    addition = Addition("plant_1", "fan_1", "fan", label=label, external=external)
    (added,) = SoundAdder(desk).add(upload, addition, _DEED)
    assert (added.clip.dataset, added.clip.label) == (dataset, label)


def test_nothing_is_stored_of_what_is_refused(parts: HubParts, desk: SoundDesk, tmp_path: Path) -> None:
    adder = SoundAdder(desk)
    upload = upload_of(_file(tmp_path / "a.flac", hum(4.0)))
    with pytest.raises(SoundError, match="say what it is"):
        adder.add(upload, Addition("plant_1", "fan_1", "fan"), _DEED)
    adder.add(upload, _NORMAL, _DEED)
    with pytest.raises(SoundError, match="is a pump, not a fan") as caught:
        adder.add(
            upload_of(_file(tmp_path / "b.wav", hum(5.0, seed=2))),
            Addition("plant_1", "pump_1", "fan", "normal"),
            _DEED,
        )
    assert caught.value.refusal is Refusal.CONFLICT
    short = upload_of(_file(tmp_path / "c.wav", hum(0.2)))
    with pytest.raises(SoundError, match=r"0\.20 s"):
        adder.add(short, _NORMAL, _DEED)
    with parts.database.transaction(writes=False) as session:
        assert session.query(Clip).count() == session.query(StoredObject).count() == 1


def test_a_sound_without_a_machine_is_named_and_placed(desk: SoundDesk, tmp_path: Path) -> None:
    adder = SoundAdder(desk)
    adder.add(upload_of(_file(tmp_path / "n.wav", hum(20.0))), _NORMAL, _DEED)
    answer = desk.test(upload_of(_file(tmp_path / "t.wav", hum(6.0, seed=9))))
    assert answer.judgement is None and answer.why_not_judged == "no machine was chosen"
    assert answer.identity is not None and 0 <= answer.identity.confidence <= 1
    assert answer.nearest_machine is not None
    assert (answer.nearest_machine.machine, answer.nearest_machine.type) == ("pump_1", "pump")
    assert 0 <= answer.nearest_machine.distance < 0.3
    assert base64.b64decode(answer.spectrogram_png).startswith(b"\x89PNG")
    assert answer.heard_s == 6.0 and answer.preparation


def test_a_whining_pump_is_told_from_a_normal_one(desk: SoundDesk, tmp_path: Path) -> None:
    adder = SoundAdder(desk)
    for number in range(3):
        adder.add(upload_of(_file(tmp_path / "n.wav", hum(80.0, seed=number))), _NORMAL, _DEED)
    machine = ("plant_1", "pump_1")
    well = desk.test(upload_of(_file(tmp_path / "w.wav", hum(10.0, seed=50))), machine=machine).judgement
    ill = desk.test(
        upload_of(_file(tmp_path / "i.wav", hum(10.0, seed=51, whine_hz=3000.0))), machine=machine
    ).judgement
    assert well is not None and ill is not None
    assert (well.verdict, ill.verdict) == ("normal", "anomalous")
    assert ill.score > well.score and ill.probability > 0.99
    assert "kHz" in ill.text
    loudest = max(ill.bands, key=lambda band: band.contribution)
    assert loudest.centre_hz == pytest.approx(3150, rel=0.2)
    assert ill.normal_clips == 24 and len(ill.nearest_normal.clip) == 26


def test_a_machine_with_too_few_normals_says_so(desk: SoundDesk, tmp_path: Path) -> None:
    upload = upload_of(_file(tmp_path / "n.wav", hum(10.0)))
    SoundAdder(desk).add(upload, _NORMAL, _DEED)
    answer = desk.test(upload, machine=("plant_1", "pump_1"))
    assert answer.judgement is None
    assert answer.why_not_judged is not None and "1 normal clips; a profile needs 3" in answer.why_not_judged


def test_a_machine_or_bundle_that_is_not_there(desk: SoundDesk, tmp_path: Path) -> None:
    upload = upload_of(_file(tmp_path / "n.wav", hum(3.0)))
    for wanted in ({"machine": ("plant_1", "nobody")}, {"bundle_sha256": "0" * 64}):
        with pytest.raises(SoundError) as caught:
            desk.test(upload, **wanted)  # type: ignore[arg-type]
        assert caught.value.refusal is Refusal.UNKNOWN
