"""Sounds that people bring: dropped, chosen, recorded, tested, mapped; and names that are scripts."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import soundfile
from playwright.sync_api import Page, expect
from sqlalchemy import select

from edge_agent.simulate import MachineSimulator, MachineType, random_spec
from tests.support.browser import needs_chromium
from tests.support.hub_site import HubSite
from training_hub.catalogue.tables import Clip, Machine
from training_hub.web.queries.embeddings import principal_plane

pytestmark = needs_chromium

SCRIPT = "<img src=x onerror=alert(1)>"


def _wav(path: Path, take: int, seconds: float = 3.0) -> Path:
    spec = random_spec(MachineType.PUMP, np.random.default_rng(1))
    soundfile.write(path, MachineSimulator(spec, seed=take).render(int(16_000 * seconds)), 16_000)
    return path


def _clips_of(site: HubSite, machine: str) -> list[Clip]:
    with site.parts.database.transaction(writes=False) as session:
        return list(session.scalars(select(Clip).join(Machine).where(Machine.name == machine)))


def test_several_files_are_added_one_after_another(site: HubSite, tmp_path: Path) -> None:
    good = [_wav(tmp_path / f"{SCRIPT}.wav", 1), _wav(tmp_path / "second.wav", 2)]
    (tmp_path / "notes.wav").write_text("no sound at all")
    with site.browser("otto") as page:
        page.on("dialog", lambda dialog: dialog.dismiss())
        page.goto(f"{site.url}/add")
        page.get_by_label("Site").fill("plant_new")
        page.get_by_label("Name of the machine").fill("pump_99")
        page.get_by_label("Type", exact=True).fill("pump")
        page.locator("#files").set_input_files([*good, tmp_path / "notes.wav"])
        rows = page.locator("#sent tbody tr")
        expect(rows.nth(0)).to_contain_text("1 clip added", timeout=60_000)
        expect(rows.nth(0)).to_contain_text(SCRIPT)  # as text: a name is never markup
        expect(rows.nth(1)).to_contain_text("1 clip added", timeout=60_000)
        expect(rows.nth(2)).to_contain_text("not taken", timeout=60_000)
        page.get_by_label("Anomalous").check()
        page.get_by_label("Fault").fill("cavitation")
        with page.expect_response("**/api/v1/sounds?**"):
            page.locator("#files").set_input_files(_wav(tmp_path / "third.wav", 3))
        expect(rows.nth(3)).to_contain_text("1 clip added", timeout=60_000)
    found = _clips_of(site, "pump_99")
    assert sorted((clip.dataset, clip.label) for clip in found) == [
        ("training", "normal"), ("training", "normal"), ("validation", "cavitation"),
    ]  # fmt: skip


def test_a_dropped_file_is_judged(site: HubSite, tmp_path: Path) -> None:
    assert site.seeded
    content = _wav(tmp_path / "probe.wav", 5, seconds=10.0).read_bytes()
    with site.browser("otto") as page:
        page.goto(f"{site.url}/test")
        page.get_by_label("Of which machine?").select_option(str(site.seeded.machines["pump_1"]))
        _drop(page, "#drop", "probe.wav", content)
        expect(page.locator("#verdict [data-at=facts]")).to_contain_text("probe.wav", timeout=60_000)
        expect(page.locator("#verdict .tag")).to_have_text(("normal", "anomalous")[1])  # another pump than pump_1
        expect(page.locator("#verdict [data-at=probability]")).to_contain_text("odder than")
        expect(page.locator("#verdict .bands li").first).to_be_visible()
        assert page.locator("#verdict img").evaluate("image => image.complete && image.naturalWidth") > 100
        page.locator("#file").set_input_files({"name": "x.wav", "mimeType": "audio/wav", "buffer": b"nonsense"})
        expect(page.locator("#verdict .notice.bad")).to_be_visible(timeout=60_000)


def _drop(page: Page, selector: str, name: str, content: bytes) -> None:
    transfer = page.evaluate_handle(
        """([name, bytes]) => { const transfer = new DataTransfer();
           transfer.items.add(new File([new Uint8Array(bytes)], name, { type: "audio/wav" })); return transfer; }""",
        [name, list(content)],
    )
    page.dispatch_event(selector, "drop", {"dataTransfer": transfer})


def test_what_the_microphone_gave_is_a_wav_file(site: HubSite) -> None:
    tone = np.sin(np.arange(4800) / 10).astype(np.float32)
    with site.browser("otto") as page:
        page.goto(f"{site.url}/test")
        found = page.evaluate(
            """async (samples) => { const { wavOf } = await import(`${document.body.dataset.static}/hub/wav.js`);
               return [...new Uint8Array(await wavOf(new Float32Array(samples), 48000).arrayBuffer())]; }""",
            tone.tolist(),
        )
    samples, rate_hz = soundfile.read(io.BytesIO(bytes(found)), dtype="float32")
    assert rate_hz == 48_000
    np.testing.assert_allclose(samples, tone, atol=1e-4)


def test_a_point_of_the_map_is_heard(site: HubSite) -> None:
    with site.browser("vera") as page:
        page.goto(f"{site.url}/map")
        page.locator("#map[data-ready]").wait_for()
        expect(page.locator("#map-said")).to_contain_text("PCA: the plane shows")
        page.locator("#plane").focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        expect(page.locator("#panel .player").first).to_be_visible()
        page.locator("#colour").select_option("label")
        expect(page.locator("#legend")).to_contain_text("normal")
        page.get_by_text("The clips as a list").click()
        page.locator("#group").select_option("normal")
        page.get_by_role("button", name="Hear").nth(1).click()
        expect(page.locator("#panel .player").first).to_be_visible()


def test_the_plane_is_that_of_a_singular_value_decomposition() -> None:
    vectors = np.random.default_rng(3).normal(size=(60, 16)).astype(np.float32)
    plane, share = principal_plane(vectors)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    left, values, _ = np.linalg.svd(units - units.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(np.abs(plane), np.abs(left[:, :2] * values[:2]), atol=1e-4)
    np.testing.assert_allclose(share, (values[:2] ** 2).sum() / (values**2).sum(), rtol=1e-4)


def test_a_name_that_is_a_script_is_shown_and_never_run(site: HubSite) -> None:
    """Gateways' names are checked; what comes by another way into the database is escaped all the same."""
    assert site.seeded
    with site.parts.database.transaction() as session:
        machine = Machine(site=SCRIPT, name=SCRIPT, type=SCRIPT)
        session.add(machine)
        session.flush()
        clip = session.get_one(Clip, site.seeded.clips[-1])
        before = (clip.machine_id, clip.label, clip.anomalous)
        clip.machine_id, clip.label, clip.anomalous = machine.id, SCRIPT, True
        machine_id = machine.id
    try:
        with site.browser() as page:
            opened: list[str] = []
            page.on("dialog", lambda dialog: (opened.append(dialog.message), dialog.dismiss()))
            for path in (f"/clips?machine={machine_id}", f"/clips/{clip.id}", f"/machines/{machine_id}", "/machines",
                         "/dataset", "/add", "/map", "/audit"):  # fmt: skip
                page.goto(f"{site.url}{path}")
                assert page.locator("img[src=x]").count() == 0, path
            page.goto(f"{site.url}/clips?machine={machine_id}")
            expect(page.locator("tr[data-clip]").first).to_contain_text(SCRIPT)
            expect(page.locator("#panel [data-shown]")).to_be_visible()
            assert page.locator("img[src=x]").count() == 0
            assert not opened
    finally:
        with site.parts.database.transaction() as session:
            clip = session.get_one(Clip, site.seeded.clips[-1])
            clip.machine_id, clip.label, clip.anomalous = before
            session.flush()
            session.delete(session.get_one(Machine, machine_id))
