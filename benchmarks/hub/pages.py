"""How long pages take at 10,000 clips: `python -m benchmarks.hub.pages [--clips N] [--rounds N]`."""

import argparse
import itertools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx

from tests.support.hub_catalogue import add_many_clips
from tests.support.hub_site import HubSite, hub_site
from training_hub.accounts.people import find_user
from training_hub.accounts.visits import open_visit
from training_hub.catalogue.audit import record
from training_hub.catalogue.labelling import Deed, label_clips
from training_hub.catalogue.types import utc_now

TARGET_MS = 100.0
PATHS = (
    "/clips", "/clips?label=none", "/clips?verdict=alarm&dataset=new", "/clips?site=plant_lyon&type=fan",
    "/clips?text=imbalance", "/alarms", "/machines", "/dataset", "/map/points?bundle={bundle}",
)  # fmt: skip
MAP = PATHS[-1]


def main() -> int:
    """Print the median and the 95th percentile of each page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clips", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=40)
    arguments = parser.parse_args()
    late = 0
    with tempfile.TemporaryDirectory() as directory, hub_site(Path(directory)) as site:
        assert site.seeded is not None
        add_many_clips(site.parts.database, arguments.clips)
        with site.parts.database.transaction() as session:
            secret = open_visit(session, find_user(session, "vera"), hours=1).secret
        with httpx.Client(base_url=site.url, cookies={"training_hub_session": secret}, timeout=60) as client:
            for title, path, before in _questions(site):
                times_ms = [_asked_ms(client, path, before) for _ in range(arguments.rounds + 1)]
                first_ms = times_ms.pop(0)  # templates are compiled
                p95 = statistics.quantiles(times_ms, n=20)[-1]
                late += p95 > TARGET_MS and path.startswith("/clips")
                median = f"median {statistics.median(times_ms):7.1f} ms"
                print(f"{title[:44]:44} {median}   p95 {p95:7.1f} ms   the first {first_ms:6.0f} ms")
    print(f"load average {os.getloadavg()[0]:.1f}")
    print(f"lists and filters of clips: p95 {'over' if late else 'under'} {TARGET_MS:.0f} ms")
    return 1 if late else 0


def _questions(site: HubSite) -> Iterator[tuple[str, str, Callable[[], None]]]:
    """What is asked for, and what somebody does before each time."""
    assert site.seeded is not None
    seeded = site.seeded
    for path in PATHS:
        yield path, path.format(bundle=seeded.bundle_sha256), lambda: None

    def log() -> None:
        with site.parts.database.transaction() as session:
            record(session, "user:otto", "session.open", "user:otto")

    words = itertools.cycle(("leak", "bearing"))

    def label() -> None:
        with site.parts.database.transaction() as session:
            label_clips(session, seeded.clips[:1], next(words), Deed("user:otto", utc_now()))

    for what, before in (("after a login", log), ("after a label of a point", label)):
        yield f"the map, {what}", MAP.format(bundle=seeded.bundle_sha256), before


def _asked_ms(client: httpx.Client, path: str, before: Callable[[], None]) -> float:
    before()
    began_s = time.perf_counter()
    client.get(path).raise_for_status()
    return 1000 * (time.perf_counter() - began_s)


if __name__ == "__main__":
    sys.exit(main())
