"""Kept sound on the page."""

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from edge_agent.agent.asking.audit import AuditEntry
from edge_agent.agent.clips.desk import ClipDesk
from edge_agent.capture.clock import VirtualClock
from edge_agent.clips.books import StoreLimits
from edge_agent.clips.encode import flac_bytes, log_mel_bytes
from edge_agent.clips.errors import ClipError
from edge_agent.clips.reasons import Dropped
from edge_agent.clips.recorder import Requested
from edge_agent.clips.store import ClipStore
from edge_agent.web.clips import ClipPages, _request
from tests.clips.samples import START_NS, ids, sidecar
from tests.web.pages import open_site

LIMITS = StoreLimits(max_bytes=10_000_000, min_free_bytes=0)


@dataclass
class Acts:
    """A desk over a store, and the audit log that it writes."""

    root: Path
    entries: list[AuditEntry] = field(default_factory=list)

    def pages(self) -> ClipPages:
        def opened() -> ClipStore:
            return ClipStore(self.root, LIMITS)

        clock = VirtualClock(wall_ns=START_NS)
        desk = ClipDesk(lambda: None, opened, lambda machine: machine == "pump_1", self.entries.append, clock)
        return ClipPages(opened, desk)


def _pages(root: Path) -> ClipPages:
    return Acts(root).pages()


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


@pytest.mark.parametrize("keep", ["audio", "log_mel"])
def test_a_clip_without_a_picture_of_its_own_is_seen_all_the_same(keep: str, tmp_path: Path) -> None:
    """An alarm refers to a clip of the machine's normal sound, of which no picture is kept."""
    store = ClipStore(tmp_path / "clips", LIMITS)
    samples = (1000 * np.random.default_rng(1).standard_normal(32_000)).astype(np.int16)
    if keep == "audio":
        payload = flac_bytes(samples)
    else:
        frames = np.full((60, 128), -40, np.float32)
        payload = log_mel_bytes(frames, first_frame=0, machine="pump_1", name="c", roll_db=frames)
    made = sidecar(next(ids()))
    clip = store.put(made.model_copy(update={"sound": made.sound.model_copy(update={"kind": keep})}), payload)
    broken = store.put(sidecar("01HF7YAT00000000000000000Z"), b"fLaC" + bytes(100))
    store.close()
    with open_site(extensions=(_pages(tmp_path / "clips"),)) as site:
        status, headers, body = site.ask(f"/api/clips/{clip.id}/picture.png")
        assert (status, headers["content-type"], body[:4]) == (200, "image/png", b"\x89PNG")
        width, height = struct.unpack(">II", body[16:24])
        assert (width >= 59, height) == (True, 128)
        assert site.ask(f"/api/clips/{broken.id}/picture.png")[0] == 503


def test_a_clip_is_pinned_labelled_and_deleted_and_the_audit_log_knows_who(kept: tuple[Path, str]) -> None:
    root, clip = kept
    acts = Acts(root)
    who = {"operator": "anna"}
    with open_site(extensions=(acts.pages(),)) as site:

        def listed() -> dict[str, object]:
            (found,) = site.get("/api/clips")["clips"]
            return dict(found)

        for act, body in (("pin", who), ("label", {**who, "label": "worn bearing"})):
            assert site.ask(f"/api/clips/{clip}/{act}", "POST", body)[0] == 200
        assert (listed()["pinned"], listed()["label"]) == (True, "worn bearing")
        assert site.ask(f"/api/clips/{clip}/unpin", "POST", {})[0] == 200
        assert site.ask(f"/api/clips/{clip}/label", "POST", {"label": ""})[0] == 200
        assert (listed()["pinned"], listed()["label"]) == (False, None)
        assert site.ask(f"/api/clips/{clip}/delete", "POST", who)[0] == 200
        assert site.get("/api/clips")["clips"] == []
        status, _, answer = site.ask(f"/api/clips/{clip}/delete", "POST", who)
        assert (status, "there is no clip" in json.loads(answer)["error"]) == (409, True)
    told = [(entry.verb, entry.operator, entry.caller, entry.about) for entry in acts.entries]
    about, here = f"{sidecar(clip).machine} {clip}", "page at 127.0.0.1"
    assert told == [
        ("clip_pin", "anna", here, about), ("clip_label", "anna", here, about), ("clip_unpin", None, here, about),
        ("clip_label", None, here, about), ("clip_delete", "anna", here, about),
    ]  # fmt: skip


def test_every_way_of_not_being_kept_has_words() -> None:
    for why in Dropped:
        told = _request(Requested("01HF7YAT00AAAAAAAAAAAAAAAA", dropped=why))
        assert (told["phase"], len(told["why"]) > 10) == ("dropped", True)
    assert [_request(each)["phase"] for each in (Requested(None), Requested("x"), Requested("x", kept=True))] == [
        "waiting", "recording", "kept",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("{clip}/shred", {}, 404),
        ("{clip}/label", {"label": "x" * 129}, 400),
        ("{clip}/label", {"label": "two\nlines"}, 400),
        ("{clip}/label", {"label": 7}, 400),
        ("{clip}/pin", {"operator": ["anna"]}, 400),
        ("..%2f..%2fetc/delete", {}, 404),
        ("nothing/delete", {}, 409),
        ("01HF7YAT00AAAAAAAAAAAAAAAA/pin", {}, 409),
    ],
)
def test_hostile_acts_change_nothing(kept: tuple[Path, str], path: str, body: object, status: int) -> None:
    root, clip = kept
    acts = Acts(root)
    with open_site(extensions=(acts.pages(),)) as site:
        before = site.get("/api/clips")
        assert site.ask("/api/clips/" + path.format(clip=clip), "POST", body)[0] == status
        assert site.get("/api/clips") == before
    assert acts.entries == []


def test_no_window_is_kept_of_a_machine_that_nobody_watches(kept: tuple[Path, str]) -> None:
    acts = Acts(kept[0])
    with open_site(extensions=(acts.pages(),)) as site:
        assert site.ask("/api/machines/none/clips", "POST", {})[0] == 404
        assert site.ask(f"/api/clips/{kept[1]}/delete", "POST", {}, {"Origin": "http://elsewhere.example"})[0] == 403
    assert acts.entries == []


@pytest.mark.parametrize("clip", ["none", "..%2f..%2fetc", "x" * 100, "%00"])
def test_what_is_no_clip_is_not_found(kept: tuple[Path, str], clip: str) -> None:
    with open_site(extensions=(_pages(kept[0]),)) as site:
        assert site.ask(f"/api/clips/{clip}/audio")[0] == 404


def test_a_store_that_cannot_be_opened_is_told() -> None:
    def broken() -> ClipStore:
        raise ClipError("the disk is gone")

    clock = VirtualClock(wall_ns=START_NS)
    pages = ClipPages(broken, ClipDesk(lambda: None, broken, lambda machine: True, lambda entry: None, clock))
    with open_site(extensions=(pages,)) as site:
        status, _, body = site.ask("/api/clips")
    assert (status, json.loads(body)["error"]) == (503, "the disk is gone")
    assert pages.of_episodes(["x"]) == {}


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


def test_the_nearest_normal_is_told_of_any_clip_however_old(tmp_path: Path) -> None:
    from edge_agent.clips.sidecar import pack_embedding

    root, make = tmp_path / "clips", ids()
    store = ClipStore(root, LIMITS)
    odd, near, called_odd, far = (next(make) for _ in range(4))

    def keep(clip: str, state: str, embedding: list[float]) -> None:
        base = sidecar(clip)
        said = base.judgement.model_copy(
            update={"state": state, "embedding": pack_embedding(np.array(embedding, np.float32))}
        )
        store.put(base.model_copy(update={"judgement": said}), b"fLaC")

    keep(odd, "alarm", [1.0, 0.0])
    keep(called_odd, "normal", [1.0, 0.0])
    keep(near, "normal", [0.9, 0.1])
    keep(far, "normal", [0.0, 1.0])
    for _ in range(50):  # the list holds the newest alone
        keep(next(make), "suspect", [1.0, 0.0])
    store.close()
    with open_site(extensions=(_pages(root),)) as site:
        assert site.ask(f"/api/clips/{called_odd}/label", "POST", {"label": "worn bearing"})[0] == 200
        listed = site.get("/api/clips?machine=fan_1")
        assert (len(listed["clips"]), listed["kept"]) == (50, 54)
        assert odd not in [clip["id"] for clip in listed["clips"]]
        assert site.get(f"/api/clips/{odd}/nearest")["nearest"]["id"] == near
        assert site.get(f"/api/clips/{near}/nearest")["nearest"] is None
        assert site.ask("/api/clips/none/nearest")[0] == 404


def test_the_clips_of_alarms_are_looked_up_once_for_all_pages(tmp_path: Path) -> None:
    root, make, opened, now_s = tmp_path / "clips", ids(), [0], [0.0]
    store = ClipStore(root, LIMITS)
    clips = [next(make) for _ in range(3)]
    for clip, alarm in zip(clips, ("A", "A", "B"), strict=True):
        store.put(sidecar(clip, alarm=alarm), b"fLaC")

    def count() -> ClipStore:
        opened[0] += 1
        return ClipStore(root, LIMITS)

    desk = ClipDesk(lambda: None, count, lambda machine: True, lambda entry: None, VirtualClock(wall_ns=START_NS))
    pages = ClipPages(count, desk, lambda: now_s[0])
    for _ in range(100):
        assert pages.of_episodes(["A", "C", ""]) == {"A": tuple(clips[:2])}
    assert opened == [1]
    assert pages.of_episodes(["B"]) == {"B": (clips[2],)}
    store.put(sidecar(next(make), alarm="B"), b"fLaC")
    store.close()
    now_s[0] = 5.0
    assert len(pages.of_episodes(["B"])["B"]) == 2
    assert pages.of_episodes([]) == {}
    assert opened == [3]
