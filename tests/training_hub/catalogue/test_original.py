"""What was imported is original data, what gateways and people bring are new sounds: in lists, filters and exports."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from pathlib import Path

import soundfile
from alembic import command
from sqlalchemy import select, update

from tests.support.clips import make_clip
from tests.support.events import ulid
from tests.support.hub import Hub
from tests.support.hub_clips import hum
from training_hub.catalogue.database import Database
from training_hub.catalogue.labelling import Deed
from training_hub.catalogue.migrate import migrate, migrations
from training_hub.catalogue.tables import Bundle, Clip, Run, StoredObject
from training_hub.catalogue.types import utc_now
from training_hub.retrain.directory import read_directory
from training_hub.retrain.import_data import import_data


def _fill(hub: Hub, directory: Path) -> tuple[set[str], set[str]]:
    """Three imported clips, one of a gateway, one that a person added; their ids."""
    for number in range(3):
        soundfile.write(directory / f"{number}.flac", hum(10.0, seed=number), 16_000)
    rows = "".join(f"{n}.flac,fan_1,fan,normal,take_{n},CC0\n" for n in range(3))
    (directory / "manifest.csv").write_text("file,machine_id,machine_type,condition,group,licence\n" + rows)
    imported = import_data(hub.parts, read_directory(directory), Deed("hub", utc_now()))
    assert imported.added == {"training": 3} and not imported.flawed
    assert make_clip(1).put(hub.gateway()).status_code == 201
    file = io.BytesIO()
    soundfile.write(file, hum(10.0, seed=9), 16_000, format="WAV")
    where = {"site": "plant_1", "machine": "pump_9", "type": "pump", "label": "normal"}
    answer = hub.person("operator").post(
        "/api/v1/sounds", params=where, content=file.getvalue(), headers={"Content-Type": "application/octet-stream"}
    )
    assert answer.status_code == 201, answer.text
    with hub.parts.database.transaction(writes=False) as session:
        by_origin = session.execute(select(Clip.id, Clip.origin)).all()
    return {id_ for id_, origin in by_origin if origin == "import"}, {id_ for id_, o in by_origin if o != "import"}


def test_imported_data_is_original_and_what_comes_in_is_new(hub: Hub, tmp_path: Path) -> None:
    original, new = _fill(hub, tmp_path)
    assert (len(original), len(new)) == (3, 2)
    viewer = hub.person("viewer")
    for wanted, expected in (("true", original), ("false", new)):
        answer = viewer.get("/api/v1/clips", params={"original": wanted}).json()
        assert {clip["id"] for clip in answer["clips"]} == expected
        assert {clip["original"] for clip in answer["clips"]} == {wanted == "true"}
        word = "yes" if wanted == "true" else "no"
        page = viewer.get("/clips", params={"original": word}).text
        assert all(f'id="clip-{id_}"' in page for id_ in expected)
        assert not any(f'id="clip-{id_}"' in page for id_ in original | new if id_ not in expected)
        assert f'<option value="{word}" selected' in page
    assert "original data, imported" in viewer.get(f"/clips/{next(iter(original))}").text
    exported = viewer.get("/api/v1/exports/clips.csv", params={"original": "true"})
    assert exported.status_code == 200, exported.text
    assert {row["id"] for row in csv.DictReader(io.StringIO(exported.text))} == original
    data = viewer.get("/api/v1/status").json()["data"]
    assert (data["original"], data["since_training"]) == (3, 2)


def test_what_the_model_in_use_has_not_heard_is_told_by_its_training(hub: Hub, tmp_path: Path) -> None:
    _, new = _fill(hub, tmp_path)
    now = utc_now()
    with hub.parts.database.transaction() as session:
        session.add(StoredObject(sha256="c" * 64, size_bytes=1, media_type="application/x-tar"))
        session.add(Run(id=ulid(1), what="types", base_sha256="0" * 64, created_by="hub", created_at=now))
        session.flush()
        session.add(
            Bundle(
                id=ulid(2), name="plant", version="1.0.0", sha256="d" * 64, object_sha256="c" * 64, state="approved",
                run_id=ulid(1), created_by="hub", created_at=now + timedelta(hours=2),
            )
        )  # fmt: skip
        # one came while the training went on
        late = sorted(new)[0]
        session.execute(update(Clip).where(Clip.id == late).values(received_at=now + timedelta(hours=1)))
    data = hub.person("viewer").get("/api/v1/status").json()["data"]
    assert (data["original"], data["since_training"]) == (3, 1)


def test_a_catalogue_from_before_learns_which_of_its_clips_are_original(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'hub.db'}")
    try:
        migrate(database)
        with database.engine.begin() as connection:
            config = migrations()
            config.attributes["connection"] = connection
            command.downgrade(config, "0003")
        with database.transaction() as session:
            session.connection().exec_driver_sql("PRAGMA defer_foreign_keys=ON")
            session.connection().exec_driver_sql("INSERT INTO machines VALUES (1, 's', 'm', 'fan', NULL, '2026-01-01')")
            session.add(StoredObject(sha256="c" * 64, size_bytes=1, media_type="audio/flac"))
            session.flush()
            for number, origin in enumerate(("import", "gateway", "upload")):
                session.add(
                    Clip(
                        id=ulid(number), sha256="c" * 64, machine_id=1, origin=origin, kind="audio", recording="r",
                        heard_at=utc_now(), duration_s=10.0, reason=origin,
                    )
                )  # fmt: skip
        migrate(database)
        with database.transaction(writes=False) as session:
            found = dict(session.execute(select(Clip.origin, Clip.original)).all())
        assert found == {"import": True, "gateway": False, "upload": False}
    finally:
        database.close()
