"""A real Chromium, and axe-core's rules for what everybody can read and reach."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.agent import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = shutil.which("chromium")
_AXE = ROOT / ".cache" / "axe" / "axe.min.js"
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def _has_playwright() -> bool:
    try:
        import playwright  # noqa: F401  # only whether it is there
    except ImportError:
        return False
    return True


needs_chromium = pytest.mark.skipif(
    CHROMIUM is None or not _has_playwright(), reason="chromium or playwright (extra dev) is not installed"
)


@contextmanager
def browser_page(*, dark: bool = False, phone: bool = False) -> Iterator[tuple[Page, list[str]]]:
    """A fresh page, and the list of errors that its scripts and requests made."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"],
        )
        context = browser.new_context(
            viewport={"width": 390, "height": 844} if phone else {"width": 1280, "height": 900},
            color_scheme="dark" if dark else "light",
        )
        page = context.new_page()
        errors: list[str] = []
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: None if "127.0.0.1" in request.url else errors.append(request.url))
        try:
            yield page, errors
        finally:
            browser.close()


def axe_script() -> Path:
    """axe-core, fetched once by npm; skips where that is not possible."""
    if not _AXE.is_file():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("npm is not installed")
        _AXE.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=_AXE.parent) as place:  # one that is stopped midway leaves nothing half
            words = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", place, "axe-core@4"]
            done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
            fetched = Path(place) / "node_modules" / "axe-core" / "axe.min.js"
            if not fetched.is_file():
                pytest.skip(f"axe-core cannot be fetched: {done.stderr[-300:]}")
            fetched.replace(_AXE)
    return _AXE


def accessibility_flaws(page: Page, rules: list[str] | None = None) -> list[str]:
    """What axe-core finds on the page as it is now, contrast included; by all rules, or by some sets of them."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe_script().read_text(encoding="utf-8"))
    found: dict[str, Any] = page.evaluate("rules => axe.run(document, {runOnly: rules})", rules or _RULES)
    assert found["passes"], "axe-core looked at nothing"
    return [f"{flaw['id']}: {node['html'][:150]}" for flaw in found["violations"] for node in flaw["nodes"]]
