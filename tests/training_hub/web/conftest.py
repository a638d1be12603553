"""One seeded hub for the pages' tests; those that change it put it back, or work on clips of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.hub_site import HubSite, hub_site


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubSite]:
    """A hub full of things."""
    with hub_site(tmp_path_factory.mktemp("site")) as made:
        yield made


@pytest.fixture(scope="session")
def empty_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubSite]:
    """A hub that nobody has sent anything."""
    with hub_site(tmp_path_factory.mktemp("empty"), seed=False) as made:
        yield made
