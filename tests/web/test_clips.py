"""Kept sound on the page."""

import json
from pathlib import Path

import numpy as np
import pytest

from edge_agent.clips.errors import ClipError
from edge_agent.clips.store import ClipStore, StoreLimits
from edge_agent.web.clips import ClipPages
from tests.clips.samples import ids, sidecar
from tests.web.pages import open_site

LIMITS = StoreLimits(max_bytes=10_000_000, min_free_bytes=0)


def _pages(root: Path) -> ClipPages:
    return ClipPages(lambda: ClipStore(root, LIMITS))


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Path, str]:
    root = tmp_path / "clips"
    store = ClipStore(root, LIMITS)
    clip = store.put(sidecar(next(ids())), b"fLaC" + bytes(100), b"\x89PNG")
    store.close()
    return root, clip.id


def test_a_clip_is_listed_heard_and_seen(kept: tuple[Path, str]) -> None:
    root, clip = kept
    with open_site(extensions=(_pages(root),)) as site:
        told = site.get("/api/clips")
        assert [each["id"] for each in told["clips"]] == [clip]
        status, headers, body = site.ask(f"/api/clips/{clip}/audio")
        assert (status, headers["content-type"], body[:4]) == (200, "audio/flac", b"fLaC")
        assert site.ask(f"/api/clips/{clip}/picture.png")[2] == b"\x89PNG"
        part = site.ask(f"/api/clips/{clip}/audio", headers={"Range": "bytes=0-3"})
        assert (part[0], part[2]) == (206, b"fLaC")


@pytest.mark.parametrize("clip", ["none", "..%2f..%2fetc", "x" * 100, "%00"])
def test_what_is_no_clip_is_not_found(kept: tuple[Path, str], clip: str) -> None:
    with open_site(extensions=(_pages(kept[0]),)) as site:
        assert site.ask(f"/api/clips/{clip}/audio")[0] == 404


def test_a_store_that_cannot_be_opened_is_told() -> None:
    def broken() -> ClipStore:
        raise ClipError("the disk is gone")

    pages = ClipPages(broken)
    with open_site(extensions=(pages,)) as site:
        status, _, body = site.ask("/api/clips")
    assert (status, json.loads(body)["error"]) == (503, "the disk is gone")
    assert pages.of_episode("x") == ()


def test_the_nearest_normal_is_of_the_same_machine_and_model() -> None:
    from edge_agent.web.clips import _nearest_normal
    from tests.web.rows import row

    odd = row("odd", state="alarm", embedding=np.array([1.0, 0.0]))
    rows = [
        odd,
        row("far", embedding=np.array([0.0, 1.0])),
        row("near", embedding=np.array([0.9, 0.1])),
        row("other machine", machine="fan_1", embedding=np.array([1.0, 0.0])),
        row("other model", bundle="b" * 64, embedding=np.array([1.0, 0.0])),
        row("odd too", state="suspect", embedding=np.array([1.0, 0.0])),
        row("without", embedding=None),
    ]
    found = _nearest_normal(odd, rows)
    assert found is not None
    assert found.id == "near"
    assert _nearest_normal(rows[1], rows) is None
