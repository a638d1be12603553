"""A commissioned pump, its film, and a real broker."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from edge_agent import cli
from tests.support.agent import BUNDLE, write_config
from tests.support.broker import Broker, free_port
from tests.support.plant import write_film, write_normal


@dataclass(frozen=True)
class Plant:
    """Where things lie: a state directory with the profile of pump_1, to be copied, and the film."""

    state: Path
    film: Path


@pytest.fixture(scope="session")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Plant:
    root = tmp_path_factory.mktemp("plant")
    normal = write_normal(root / "normal")
    words = ["commission", "--machine", "pump_1", "--type", "pump", "--from", normal, "--bundle", BUNDLE]
    assert cli.main([str(word) for word in [*words, "--state-dir", root / "state"]]) == 0
    return Plant(root / "state", write_film(root / "film.wav"))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path / "broker")
    broker.start()
    yield broker
    broker.stop()


PUMP = '[detection]\nraise_after = 3\nraise_within = 5\n[[machine]]\nid = "pump_1"\ntype = "pump"\n'


def source(name: str, machine: str, path: Path | str, speed: float, *, loop: bool = False) -> str:
    """TOML of a source that plays a recording."""
    return (
        f'[[source]]\nid = "{name}"\nkind = "replay"\npaths = ["{path}"]\nspeed = {speed}\nloop = {str(loop).lower()}\n'
        f'[[source.channel]]\nmachine = "{machine}"\n'
    )


@dataclass(frozen=True)
class Site:
    """One agent's configuration and where it keeps its state."""

    config: Path
    state: Path
    http_port: int
    log: Path


def make_site_in(directory: Path, plant: Plant, body: str, mqtt_port: int | None) -> Site:
    """A site in a directory; made again it goes on with the same state."""
    state = directory / "state"
    if not state.exists():
        shutil.copytree(plant.state, state)
    port = free_port()
    config = write_config(directory / "agent.toml", state_dir=state, mqtt_port=mqtt_port, http_port=port, body=body)
    return Site(config, state, port, directory / "agent.log")


MakeSite = Callable[[str, int | None], Site]


@pytest.fixture
def make_site(plant: Plant, tmp_path: Path) -> MakeSite:
    """Makes a site from the TOML of machines and sources, and the broker's port or None."""
    return partial(make_site_in, tmp_path, plant)
