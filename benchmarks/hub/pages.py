"""How long pages take at 10,000 clips: `python -m benchmarks.hub.pages [--clips N] [--rounds N]`."""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx

from tests.support.hub_catalogue import add_many_clips
from tests.support.hub_site import hub_site
from training_hub.accounts.people import find_user
from training_hub.accounts.visits import open_visit

TARGET_MS = 100.0
PATHS = (
    "/clips", "/clips?label=none", "/clips?verdict=alarm&dataset=new", "/clips?site=plant_lyon&type=fan",
    "/clips?text=imbalance", "/alarms", "/machines", "/dataset", "/map/points?bundle={bundle}",
)  # fmt: skip


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
            for path in PATHS:
                times_ms = []
                began = time.perf_counter()
                client.get(path.format(bundle=site.seeded.bundle_sha256)).raise_for_status()  # templates are compiled
                first_ms = 1000 * (time.perf_counter() - began)
                for _ in range(arguments.rounds):
                    began = time.perf_counter()
                    client.get(path.format(bundle=site.seeded.bundle_sha256)).raise_for_status()
                    times_ms.append(1000 * (time.perf_counter() - began))
                p95 = statistics.quantiles(times_ms, n=20)[-1]
                late += p95 > TARGET_MS and path.startswith("/clips")
                median = f"median {statistics.median(times_ms):7.1f} ms"
                print(f"{path[:44]:44} {median}   p95 {p95:7.1f} ms   the first {first_ms:6.0f} ms")
    print(f"lists and filters of clips: p95 {'over' if late else 'under'} {TARGET_MS:.0f} ms")
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
