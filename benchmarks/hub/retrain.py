"""A retrained bundle from a directory of recordings, on this machine: import, features, learning, gate, report.

    python benchmarks/hub/retrain.py [--data DIR] [--what types weights faults] [--minutes 10] [--keep DIR]

Prints what each part took, the gate machine by machine, and exits 3 where all of it took more than 60 minutes.
`--data` defaults to MACHINE_SOUND_DATA.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from training_hub.catalogue.labelling import Deed
from training_hub.catalogue.migrate import migrate
from training_hub.catalogue.tables import Bundle, Job, Run
from training_hub.catalogue.types import utc_now
from training_hub.config.server import ServerSection
from training_hub.config.settings import HubSettings
from training_hub.jobs.worker import Worker
from training_hub.opening import open_parts
from training_hub.retrain.directory import read_directory
from training_hub.retrain.import_data import import_data

TARGET_S = 3600.0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("MACHINE_SOUND_DATA"))
    parser.add_argument("--what", nargs="+", default=["types", "weights", "faults"])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--simulated-machines", type=int, default=32)
    parser.add_argument("--cache", type=Path, help="features of simulated machines, kept from an earlier run")
    parser.add_argument("--keep", type=Path, help="state directory to keep")
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("give --data or set MACHINE_SOUND_DATA")
    state_dir = arguments.keep or Path(tempfile.mkdtemp(prefix="retrain-"))
    try:
        return _measure(arguments, state_dir)
    finally:
        if arguments.keep is None:
            shutil.rmtree(state_dir, ignore_errors=True)


def _measure(arguments: argparse.Namespace, state_dir: Path) -> int:
    settings = HubSettings(server=ServerSection(state_dir=state_dir))
    started_s = time.monotonic()
    with open_parts(settings, os.environ) as parts:
        migrate(parts.database)
        if arguments.cache is not None:
            (state_dir / "cache").mkdir(exist_ok=True)
            (state_dir / "cache" / "training").symlink_to(arguments.cache.resolve())
        deed = Deed(actor="user:benchmark", at=utc_now())
        imported = import_data(parts, read_directory(Path(arguments.data)), deed)
        print(f"imported {dict(imported.added)}, {len(imported.flawed)} left out: {time.monotonic() - started_s:.0f} s")
        parameters = {
            "what": arguments.what,
            "minutes": arguments.minutes,
            "simulated_machines": arguments.simulated_machines,
        }
        with parts.database.transaction() as session:
            job_id = parts.jobs.enqueue(session, "retrain", parameters, by="user:benchmark")
        Worker(parts, slots=1).run_one(job_id)
        spent_s = time.monotonic() - started_s
        with parts.database.transaction(writes=False) as session:
            job, run = session.get(Job, job_id), session.get(Run, job_id)
            row = session.get(Bundle, job_id)
            assert job is not None
            if run is None or row is None or run.gate is None:
                print(f"{job.state}: {job.message}")
                return 1
            print(f"{row.name} {row.version} ({row.state}), {run.what}: {run.metrics['seconds']}")
            for machine in run.gate["machines"]:
                before, after = machine["before"], machine["after"]
                print(
                    f"  {machine['machine']:<34} {machine['normals']:>3} + {machine['anomalies']:<3} "
                    f"AUC {_n(before['auc'])} -> {_n(after['auc'])}  false alarms {_n(before['false_alarms'])} -> "
                    f"{_n(after['false_alarms'])}  one in ten {_n(before['nominal'])} -> {_n(after['nominal'])}  "
                    f"{machine['verdict']}"
                )
            print(f"gate {'passed' if run.gate['passed'] else 'refused'}; worst: {run.gate['worst']}")
            for line in run.gate["why"]:
                print(f"  {line}")
            for machine_type, found in run.metrics["faults"].items():
                print(f"  faults of {machine_type}: {found}")
    print(f"all of it: {spent_s:.0f} s on {len(os.sched_getaffinity(0))} cores (target {TARGET_S:.0f} s)")
    return 0 if spent_s <= TARGET_S else 3


def _n(value: float | None) -> str:
    return "    -" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    sys.exit(main())
