"""Clips: filtered by the address, labelled by keyboard alone, heard."""

from __future__ import annotations

from playwright.sync_api import Page, expect
from sqlalchemy import delete

from tests.support.browser import needs_chromium
from tests.support.hub_catalogue import add_many_clips
from tests.support.hub_site import HubSite
from training_hub.catalogue.tables import AuditEntry, Clip

pytestmark = needs_chromium


def _clip(site: HubSite, clip_id: str) -> Clip:
    with site.parts.database.transaction(writes=False) as session:
        return session.get_one(Clip, clip_id)


def _current(page: Page) -> str:
    return str(page.locator("tr.current").get_attribute("data-clip"))


def _shown(page: Page) -> None:
    expect(page.locator("#panel [data-shown]")).to_have_attribute("data-shown", _current(page))


def test_labelled_by_keyboard_alone(site: HubSite) -> None:
    with site.browser("otto") as page:
        page.goto(f"{site.url}/clips?label=none&type=fan")
        _shown(page)
        first = _current(page)
        page.keyboard.press("n")
        expect(page.locator(f"#clip-{first}")).to_have_attribute("data-label", "normal")
        expect(page.locator("tr.current")).not_to_have_attribute("data-clip", first)
        _shown(page)
        second = _current(page)
        fault = page.locator("#panel [data-key='1']").get_attribute("data-label")
        page.keyboard.press("1")
        expect(page.locator(f"#clip-{second}")).to_have_attribute("data-label", str(fault))
        found = _clip(site, second)
        assert (found.label, found.anomalous, found.dataset) == (fault, True, "validation")
        assert found.labelled_by == "user:otto"
        page.keyboard.press("u")
        expect(page.locator(f"#clip-{second}")).to_have_attribute("data-label", "")
        page.keyboard.press("u")
        expect(page.locator(f"#clip-{first}")).to_have_attribute("data-label", "")
        assert _clip(site, first).label is None
        assert _clip(site, first).dataset == "new"
        expect(page.locator("#said")).to_contain_text("Taken back")
    with site.parts.database.transaction(writes=False) as session:
        deeds = [entry.action for entry in session.query(AuditEntry).filter_by(subject=f"clip:{first}")]
    assert deeds[-2:] == ["clip.label", "clip.unlabel"]


def test_the_keys_move_play_and_can_be_switched_off(site: HubSite) -> None:
    with site.browser("otto") as page:
        _shown(page)
        first = _current(page)
        page.keyboard.press("j")
        assert _current(page) != first
        _shown(page)
        page.keyboard.press("k")
        assert _current(page) == first
        _shown(page)
        page.locator("#panel .player[data-ready]").first.wait_for()
        page.keyboard.press("Space")
        expect(page.locator("#panel button[data-play]").first).to_have_attribute("aria-pressed", "true")
        page.keyboard.press("Space")
        expect(page.locator("#panel button[data-play]").first).to_have_attribute("aria-pressed", "false")
        expect(page.locator("#panel .player")).to_have_count(2)  # the clip, and the most alike normal beside it
        page.locator("#keys-on").uncheck()
        page.keyboard.press("j")
        assert _current(page) == first
        page.locator("#keys-on").check()


def test_a_word_typed_into_a_field_labels_nothing(site: HubSite) -> None:
    with site.browser("otto") as page:
        _shown(page)
        before = _clip(site, _current(page)).label
        page.locator("input[name=text]").fill("")
        page.locator("input[name=text]").type("jana")
        assert _clip(site, _current(page)).label == before


def test_many_are_labelled_moved_deleted_and_restored_at_once(site: HubSite) -> None:
    assert site.seeded
    with site.browser("otto") as page:
        page.goto(f"{site.url}/clips?machine={site.seeded.machines['valve_2']}&label=none")
        page.locator("#tick-all").check()
        ids = page.locator("tr[data-clip]").evaluate_all("rows => rows.map(row => row.dataset.clip)")
        assert len(ids) >= 2
        expect(page.locator("#bulk-count")).to_have_text(f"{len(ids)} ticked")
        page.locator("#bulk-label").fill("stiction")
        page.get_by_role("button", name="Label", exact=True).first.click()
        expect(page.locator("tr[data-label='stiction']")).to_have_count(len(ids))
        page.get_by_role("button", name="Delete").click()
        expect(page.locator("tr.gone")).to_have_count(len(ids))
        assert all(_clip(site, clip).deleted_at for clip in ids)
        page.goto(f"{site.url}/clips?deleted=yes")
        page.locator("#tick-all").check()
        page.get_by_role("button", name="Restore").click()
        expect(page.locator("tr.gone")).to_have_count(0)
        assert all(_clip(site, clip).deleted_at is None for clip in ids)
        page.goto(f"{site.url}/clips?machine={site.seeded.machines['valve_2']}&label=stiction")
        page.locator("#tick-all").check()
        page.locator("#bulk-dataset").select_option("training")
        page.get_by_role("button", name="Move").click()
        expect(page.locator("#said")).to_contain_text("label it normal first")  # a fault is never trained on


def test_filters_live_in_the_address(site: HubSite) -> None:
    with site.browser("vera") as page:
        page.get_by_label("Verdict").select_option("alarm")
        page.wait_for_url("**verdict=alarm**")
        expect(page.locator("tr[data-clip] .verdict .is-alarm").first).to_be_visible()
        assert page.locator("tr[data-clip] .verdict .is-normal").count() == 0
        page.reload()
        expect(page.get_by_label("Verdict")).to_have_value("alarm")
        expect(page.locator("#bulk")).to_have_count(0)  # a viewer labels nothing


def test_a_page_follows_the_other(site: HubSite) -> None:
    assert site.seeded
    known = set(site.seeded.clips)
    add_many_clips(site.parts.database, 20)
    try:
        with site.browser("vera") as page:
            expect(page.locator("tr[data-clip]")).to_have_count(50)
            page.locator("#more").click()
            expect(page.locator("tr[data-clip]")).to_have_count(len(known) + 20)
            shown = page.locator("tr[data-clip]").evaluate_all("rows => rows.map(row => row.dataset.clip)")
            assert shown[: len(known)] == list(site.seeded.clips)
            assert len(set(shown)) == len(shown)
    finally:
        with site.parts.database.transaction() as session:
            session.execute(delete(Clip).where(Clip.id.not_in(known), Clip.origin == "gateway"))


def test_times_are_the_viewers_with_utc_on_hover(site: HubSite) -> None:
    with site.browser("vera") as page:
        time = page.locator("tr[data-clip] time").first
        assert str(time.get_attribute("title")).endswith(" UTC")
        assert "UTC" not in time.inner_text()


def test_a_clip_has_a_page_of_its_own_on_the_phone(site: HubSite) -> None:
    with site.browser("otto", phone=True) as page:
        page.locator("a[data-open]").first.click()
        page.wait_for_url("**/clips/*")
        expect(page.locator(".player")).to_have_count(2)
        page.get_by_role("button", name="anomalous").click()
        page.wait_for_load_state()
        expect(page.get_by_role("button", name="anomalous")).to_have_attribute("aria-pressed", "true")
        page.get_by_role("button", name="no label").click()
        expect(page.get_by_role("button", name="no label")).to_have_count(0)
