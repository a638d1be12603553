"""Roles, accounts, keys shown once, and the rollout board."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from tests.support.browser import needs_chromium
from tests.support.hub_site import PASSWORD, HubSite
from training_hub.accounts.keys import gateway_by_key
from training_hub.accounts.people import find_user
from training_hub.accounts.visits import open_visit
from training_hub.catalogue.tables import Gateway, Rollout, User

pytestmark = needs_chromium


def test_signing_in_leads_where_one_wanted_to_go(site: HubSite) -> None:
    with site.browser(None) as page:
        page.goto(f"{site.url}/alarms?state=all")
        page.wait_for_url("**/sign-in?to=**")
        page.get_by_label("Name").fill("vera")
        page.get_by_label("Password").fill("not this one")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("wrong")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/alarms?state=all")
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/sign-in")
        page.goto(f"{site.url}/clips")
        page.wait_for_url("**/sign-in?to=**")


@pytest.mark.parametrize(
    ("name", "hidden", "refused"),
    [
        ("vera", ["Add sounds", "Test a sound", "Audit", "People", "Gateways"], ["/add", "/test", "/audit", "/people"]),
        ("otto", ["Audit", "People", "Gateways"], ["/audit", "/people", "/gateways"]),
        ("erik", ["People", "Gateways"], ["/people", "/gateways"]),
    ],
)
def test_roles_hide_and_refuse(site: HubSite, name: str, hidden: list[str], refused: list[str]) -> None:
    with site.parts.database.transaction() as session:
        visit = open_visit(session, find_user(session, name), hours=1)
    cookies = {"training_hub_session": visit.secret}
    headers = {"Accept": "text/html", "X-CSRF-Token": visit.csrf_token}
    with httpx.Client(base_url=site.url, cookies=cookies, headers=headers) as client:
        menu = client.get("/clips").text
        for title in hidden:
            assert f">{title}</a>" not in menu, title
        for path in refused:
            answer = client.get(path)
            assert answer.status_code == 403, path
            assert "this takes" in answer.text
        if name == "vera":
            assert site.seeded
            answer = client.post("/clips/labels", data={"clip": site.seeded.clips[0], "label": "normal"})
            assert answer.status_code == 403
        if name != "erik":
            assert client.post("/models/runs", data={"what": "types"}).status_code == 403


def test_a_change_without_its_token_is_refused(site: HubSite) -> None:
    assert site.seeded
    with site.parts.database.transaction() as session:
        visit = open_visit(session, find_user(session, "anna"), hours=1)
    with httpx.Client(base_url=site.url, cookies={"training_hub_session": visit.secret}) as client:
        for path, form in (
            ("/clips/labels", {"clip": site.seeded.clips[0], "label": "normal"}),
            ("/people", {"name": "mallory", "role": "admin", "password": "p" * 20}),
            ("/gateways", {"site": "a", "name": "b"}),
            ("/sign-out", {}),
        ):
            assert client.post(path, data=form).status_code == 403, path
        assert client.post("/sign-in", data={"name": "anna", "password": PASSWORD},
                           headers={"Origin": "https://elsewhere.example"}).status_code == 403  # fmt: skip


def test_the_fleet_says_why_a_gateway_did_not_take_a_bundle(site: HubSite) -> None:
    with site.browser("vera") as page:
        page.goto(f"{site.url}/fleet")
        row = page.get_by_role("row").filter(has_text="gw_press")
        expect(row).to_contain_text("0.3.1 not enough room on the disk")


def test_an_admin_adds_people_and_gateways(site: HubSite) -> None:
    with site.browser("anna") as page:
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(f"{site.url}/people")
        page.get_by_label("Name").fill("nils")
        page.locator("form[hx-post='/people'] select[name=role]").select_option("operator")
        page.locator("form[hx-post='/people'] input[name=password]").fill("a long enough password")
        page.get_by_role("button", name="Add", exact=True).click()
        expect(page.get_by_label("Role of nils")).to_have_value("operator")
        with page.expect_navigation():
            page.get_by_label("Role of nils").select_option("viewer")
        with page.expect_navigation():
            page.get_by_role("button", name="Disable nils").click()
        expect(page.get_by_role("button", name="Enable nils")).to_be_visible()
        page.get_by_label("Name").fill("nils")
        page.locator("form[hx-post='/people'] input[name=password]").fill("a long enough password")
        page.get_by_role("button", name="Add", exact=True).click()
        expect(page.locator("#said")).to_contain_text("already")
        page.goto(f"{site.url}/gateways")
        page.get_by_label("Site").fill("plant_new")
        page.get_by_label("Name").fill("gw_new")
        page.get_by_role("button", name="Add and show its key").click()
        key = page.locator("#secret").inner_text()
        assert re.fullmatch(r"thg_\S{20,}", key)
        page.goto(f"{site.url}/gateways")
        assert key not in page.content()
        expect(page.get_by_role("rowheader", name="gw_new")).to_be_visible()
    with site.parts.database.transaction() as session:
        principal = gateway_by_key(session.connection(), key)
        assert principal
        assert (principal.site, principal.name) == ("plant_new", "gw_new")
        user = session.scalars(select(User).where(User.name == "nils")).one()
        assert (user.role, user.disabled) == ("viewer", True)
        session.scalars(select(Gateway).where(Gateway.name == "gw_new")).one().disabled = True


def test_a_rollout_is_halted_and_taken_back_with_a_reason(site: HubSite) -> None:
    with site.parts.database.transaction(writes=False) as session:
        rollout_id = session.scalars(select(Rollout.id).where(Rollout.stage == "canary")).one()
    with site.browser("vera") as page:
        page.goto(f"{site.url}/rollouts")
        expect(page.locator(f"[data-rollout='{rollout_id}']")).to_contain_text("4,120")
        expect(page.get_by_role("button", name="Halt")).to_have_count(0)
    with site.browser("erik") as page:
        page.goto(f"{site.url}/rollouts")
        page.get_by_role("button", name="Halt").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("button", name="Halt").click()
        expect(dialog).to_be_visible()  # nothing without a reason
        dialog.get_by_label("Why?").fill("the press sounds odd since")
        dialog.get_by_role("button", name="Halt").click()
        page.wait_for_url("**/rollouts/*")
        expect(page.locator(".stages")).to_contain_text("Halted")
        page.get_by_role("button", name="Roll back").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Why?").fill("all go back")
        dialog.get_by_role("button", name="Roll back").click()
        expect(page.locator(".stages")).to_contain_text("Rolled back")
        expect(page.locator("main")).to_contain_text("the press sounds odd since")
    with site.parts.database.transaction(writes=False) as session:
        assert session.get_one(Rollout, rollout_id).stage == "rolled_back"
