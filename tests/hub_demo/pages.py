"""What a person does on the hub's pages, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tests.hub_demo.processes import DemoError

if TYPE_CHECKING:
    from playwright.sync_api import Page

_SLOW_MS = 60_000


class Person:
    """Somebody at a browser.

    Args:
        page: The browser's page.
        url: Of the hub.
        pictures: Where to keep pictures of the pages; None for nowhere.
    """

    def __init__(self, page: Page, url: str, pictures: Path | None) -> None:
        self.page = page
        self._url = url
        self._pictures = pictures
        page.set_default_timeout(_SLOW_MS)

    def sign_in(self, name: str, password: str) -> None:
        """With a local account."""
        self.page.goto(f"{self._url}/sign-in")
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in", exact=True).click()
        self.page.wait_for_url(re.compile(r"^(?!.*sign-in)"))

    def add_normals(self, machine: str, recordings: Sequence[Path]) -> None:
        """Give the hub the recordings that a machine was commissioned with."""
        self.page.goto(f"{self._url}/add")
        choice = self.page.locator("select[name=machine_id] option", has_text=machine)
        self.page.locator("select[name=machine_id]").select_option(value=choice.get_attribute("value"))
        self.page.locator("#files").set_input_files(list(recordings))
        rows = self.page.locator("#sent tbody tr")
        self.page.wait_for_function(
            "count => [...document.querySelectorAll('#sent tbody tr')].filter("
            "row => /added|there/.test(row.innerText)).length === count",
            arg=len(recordings),
        )
        assert rows.count() == len(recordings)
        self.picture(f"added-{machine}")

    def label_everything(self) -> int:
        """Label every clip that came in, by keyboard alone: what is odd is anomalous, the rest normal."""
        self.page.goto(f"{self._url}/clips?label=none")
        if not self.page.locator("#keys-on").is_checked():
            self.page.locator("#keys-on").check()
        self.picture("clips")
        rows = self.page.locator("tr[data-clip]")
        ids = [str(rows.nth(index).get_attribute("data-clip")) for index in range(rows.count())]
        for clip in ids:
            self.page.wait_for_selector(f'#panel [data-shown="{clip}"]')
            self.page.keyboard.press("a" if self._is_odd(f"#clip-{clip}") else "n")
            # the page goes on to the next clip by itself
            self.page.wait_for_selector(f'#clip-{clip}:not([data-label=""])')
        return len(ids)

    def _is_odd(self, row: str) -> bool:
        verdict = self.page.locator(f"{row} td.verdict").inner_text()
        return "alarm" in verdict or "suspect" in verdict

    def launch_training(self) -> None:
        """Types, weights and names of faults, from the bundle in use."""
        self.page.goto(f"{self._url}/models")
        form = self.page.locator('form[hx-post="/models/runs"]')
        if not form.is_visible():
            self.page.get_by_text("Launch a training").click()
        form.get_by_role("button", name="Launch").click()
        self.page.wait_for_selector("#progress, #runs table")

    def look(self, path: str, name: str) -> str:
        """Open a page, keep a picture of it, and return its text.

        Raises:
            DemoError: The hub does not give it.
        """
        answer = self.page.goto(f"{self._url}{path}")
        if answer is None or not answer.ok:
            raise DemoError(f"the page {path} is not given: {None if answer is None else answer.status}")
        self.page.wait_for_load_state("networkidle")
        self.picture(name)
        return self.page.locator("main").inner_text()

    def let_it_go_on(self, rollout: str, why: str) -> None:
        """To the next stage, without waiting for what the hub still waits for."""
        self.page.goto(f"{self._url}/rollouts/{rollout}")
        self.page.locator(f"[data-opens='advance-{rollout}']").click()
        dialog = self.page.locator(f"#advance-{rollout}")
        dialog.locator("textarea").fill(why)
        with self.page.expect_response(re.compile(r"/rollouts/.+/advance")):
            dialog.get_by_role("button", name="Let it go on").click()
        self.page.wait_for_load_state("networkidle")

    def picture(self, name: str) -> None:
        """Keep a picture of the page as it is now."""
        if self._pictures is not None:
            self._pictures.mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=self._pictures / f"{name}.png", full_page=True)
