"""The hub's pages as people meet them: a seeded hub behind a real server, and browsers that are signed in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from tests.support.broker import wait_until
from tests.support.browser import browser_page
from tests.support.hub_catalogue import Seeded, seed_catalogue
from training_hub.accounts.passwords import Passwords
from training_hub.accounts.people import add_user, find_user, role_of
from training_hub.accounts.visits import open_visit
from training_hub.api.app import make_app
from training_hub.catalogue.migrate import migrate
from training_hub.config.accounts import AccountsSection
from training_hub.config.jobs import JobsSection
from training_hub.config.rollout import RolloutSection
from training_hub.config.server import ServerSection
from training_hub.config.settings import HubSettings
from training_hub.opening import open_parts
from training_hub.parts import HubParts

if TYPE_CHECKING:
    from playwright.sync_api import Page

PASSWORD = "correct horse battery staple"
PEOPLE = {"vera": "viewer", "otto": "operator", "erik": "engineer", "anna": "admin"}


@dataclass(frozen=True)
class HubSite:
    """A hub that answers.

    Attributes:
        parts: What is behind it.
        url: Where, without a slash at its end.
        seeded: What is in it; None for an empty one.
    """

    parts: HubParts
    url: str
    seeded: Seeded | None

    def sign_in(self, page: Page, name: str) -> None:
        """Give a browser the cookies of a visit."""
        with self.parts.database.transaction() as session:
            visit = open_visit(session, find_user(session, name), hours=1.0)
        page.context.add_cookies(
            [
                {"name": "training_hub_session", "value": visit.secret, "url": self.url, "httpOnly": True},
                {"name": "training_hub_csrf", "value": visit.csrf_token, "url": self.url},
            ]
        )

    @contextmanager
    def browser(
        self, name: str | None = "anna", *, dark: bool = False, phone: bool = False, ignoring: str = "\0"
    ) -> Iterator[Page]:
        """A browser of somebody; what its scripts, policy or requests complain of fails at the end of the block.

        `ignoring` is what a complaint that does not count holds.
        """
        with browser_page(dark=dark, phone=phone) as (page, errors):
            if name is not None:
                self.sign_in(page, name)
            page.goto(f"{self.url}/sign-in" if name is None else f"{self.url}/clips")
            yield page
            allowed = ("status of 4", "Error Code 4", ignoring)
            complaints = [error for error in errors if not any(word in error for word in allowed)]
            assert not complaints, complaints


@contextmanager
def hub_site(directory: Path, *, seed: bool = True, port: int = 0, report_s: float = 60.0) -> Iterator[HubSite]:
    """A hub with people of every role, all with the same password."""
    with ExitStack() as stack:
        settings = HubSettings(
            server=ServerSection(state_dir=directory / "hub", port=port or 8400),
            accounts=AccountsSection(logins_per_minute=1000, person_per_minute=100_000),
            jobs=JobsSection(embedded_workers=0),
            rollout=RolloutSection(report_s=report_s),
        )
        parts = stack.enter_context(open_parts(settings, {}))
        is_new = not (directory / "seeded").exists()
        migrate(parts.database)
        seeded = None
        if is_new:
            seeded = seed_catalogue(parts.database, parts.objects) if seed else None
            password_hash = Passwords().hash(PASSWORD)
            with parts.database.transaction() as session:
                for name, role in PEOPLE.items():
                    add_user(session, name, role_of(role), password_hash=password_hash, by="hub")
            (directory / "seeded").touch()
        yield HubSite(parts, stack.enter_context(_served(parts, port)), seeded)


@contextmanager
def _served(parts: HubParts, port: int) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(make_app(parts), host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    started: Callable[[], bool] = lambda: server.started  # noqa: E731  # a property read each time
    wait_until(started, timeout_s=60)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=30)
