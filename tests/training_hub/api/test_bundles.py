"""Bundles that were made elsewhere come in as drafts, checked as a gateway would check them."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from sqlalchemy import func, select

from edge_agent.inference.archive import pack_bundle
from edge_agent.inference.bundle import load_bundle
from tests.support.agent import BUNDLE, copy_bundle
from tests.support.hub import Hub
from training_hub.catalogue.tables import Bundle
from training_hub.training.bundle_writer import write_manifest

TAR = {"Content-Type": "application/x-tar"}


def rows(hub: Hub) -> int:
    with hub.parts.database.transaction(writes=False) as session:
        return session.scalar(select(func.count()).select_from(Bundle)) or 0


def test_a_bundle_comes_in_once_as_a_draft(hub: Hub) -> None:
    archive = pack_bundle(load_bundle(BUNDLE))
    engineer = hub.person("engineer")
    first = engineer.post("/api/v1/bundles", content=archive, headers=TAR)
    again = engineer.post("/api/v1/bundles", content=archive, headers=TAR)
    assert first.status_code == 201, first.text
    assert first.json()["id"] == again.json()["id"]
    assert (first.json()["state"], rows(hub)) == ("draft", 1)
    assert engineer.get(f"/api/v1/bundles/{first.json()['id']}/archive").content == archive


def test_another_bundle_of_the_same_version_is_refused(hub: Hub, tmp_path: Path) -> None:
    engineer = hub.person("engineer")
    assert engineer.post("/api/v1/bundles", content=pack_bundle(load_bundle(BUNDLE)), headers=TAR).status_code == 201
    other = copy_bundle(tmp_path / "other")
    (other / "MODEL_CARD.md").write_text("# Another\n")
    write_manifest(other, load_bundle(BUNDLE).manifest)
    refused = engineer.post("/api/v1/bundles", content=pack_bundle(load_bundle(other)), headers=TAR)
    assert refused.status_code == 409 and "another version" in refused.json()["detail"]
    assert rows(hub) == 1


def test_what_is_no_bundle_leaves_nothing(hub: Hub) -> None:
    engineer = hub.person("engineer")
    link = io.BytesIO()
    with tarfile.open(fileobj=link, mode="w:") as archive:
        member = tarfile.TarInfo("manifest.json")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    damaged = bytearray(pack_bundle(load_bundle(BUNDLE)))
    damaged[len(damaged) // 2] ^= 0xFF
    for content in (b"no archive at all", link.getvalue(), bytes(damaged)):
        answer = engineer.post("/api/v1/bundles", content=content, headers=TAR)
        assert answer.status_code == 422, answer.text
    assert rows(hub) == 0


def test_an_operator_may_not(hub: Hub) -> None:
    assert hub.person("operator").post("/api/v1/bundles", content=b"x", headers=TAR).status_code == 403
