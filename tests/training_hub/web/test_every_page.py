"""Every page: readable by everybody, in both schemes, as wide as a phone, with nothing that its policy refuses."""

from __future__ import annotations

from playwright.sync_api import Page
from sqlalchemy import select

from tests.support.browser import accessibility_flaws, needs_chromium
from tests.support.hub_site import HubSite
from training_hub.catalogue.tables import Alarm, Bundle, Job, Rollout, Run

pytestmark = needs_chromium


def every_page(site: HubSite) -> list[str]:
    """Addresses, one of each kind."""
    assert site.seeded
    with site.parts.database.transaction(writes=False) as session:
        alarm = session.scalars(select(Alarm.id).where(Alarm.kind == "anomaly")).first()
        bundle = session.scalars(select(Bundle.id)).first()
        done = session.scalars(select(Run.id).where(Run.finished_at.is_not(None))).first()
        going = session.scalars(select(Run.id).join(Job, Job.id == Run.job_id).where(Job.state == "running")).first()
        rollout = session.scalars(select(Rollout.id)).first()
    return [
        "/clips", f"/clips/{site.seeded.clips[0]}", "/clips?text=nothing+is+called+this", "/alarms", f"/alarms/{alarm}",
        "/machines", f"/machines/{site.seeded.machines['fan_3']}", "/dataset", "/add", "/test", "/map", "/models",
        f"/models/runs/{done}", f"/models/runs/{going}", f"/models/bundles/{bundle}", "/compare", "/rollouts",
        f"/rollouts/{rollout}", "/fleet", "/audit", "/people", "/gateways", "/exports", "/clips/none-such",
    ]  # fmt: skip


_AXES_OWN_STYLE = "sha256-Txpp2hh5OoXvJGhUxJbFyEnnoWJBIRJRY/mg0M3HqKc="
"""The style attribute that axe-core sets and takes away on what it measures; the policy refuses it, as it should."""
_DESK, _PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


def _flaws(page: Page, url: str) -> list[str]:
    """What is wrong with a page: in light, in dark, and as wide as a phone."""
    page.set_viewport_size(_DESK)
    page.emulate_media(color_scheme="light")
    page.goto(url)
    found = accessibility_flaws(page)
    if page.locator("h1").count() != 1:
        found.append("there is not one h1")
    page.emulate_media(color_scheme="dark")
    found += [f"dark: {flaw}" for flaw in accessibility_flaws(page, rules=["wcag2aa"])]
    page.set_viewport_size(_PHONE)
    if not page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
        found.append("wider than a phone")
    return found


def test_everybody_can_read_and_reach_it(site: HubSite) -> None:
    with site.browser(ignoring=_AXES_OWN_STYLE) as page:
        found = {path: flaws for path in every_page(site) if (flaws := _flaws(page, f"{site.url}{path}"))}
        assert not found
        page.goto(f"{site.url}/exports")
        page.get_by_role("button", name="Menu").click()
        page.get_by_role("link", name="Fleet").click()
        page.wait_for_url("**/fleet")


def test_an_empty_hub_says_what_to_do_next(empty_site: HubSite) -> None:
    with empty_site.browser() as page:
        for path in (
            "/clips",
            "/alarms",
            "/machines",
            "/dataset",
            "/map",
            "/models",
            "/compare",
            "/rollouts",
            "/fleet",
        ):
            page.goto(f"{empty_site.url}{path}")
            assert page.locator(".empty, .notice, .panel .soft").first.is_visible(), path


def test_the_policy_allows_nothing_inline_and_no_other_host(site: HubSite) -> None:
    with site.browser() as page:
        answer = page.goto(f"{site.url}/clips")
        assert answer
        policy = answer.headers["content-security-policy"]
        assert "unsafe-inline" not in policy
        assert "unsafe-eval" not in policy
        assert "default-src 'none'" in policy
        script = answer.text().count("<script")
        assert script == answer.text().count('<script src="/static/') + answer.text().count(
            '<script type="module" src="/static/'
        )
