"""Prints how long commissioning from minutes of sound takes on one core, and how large what it keeps is.

    python benchmarks/detection/fit_time.py [--bundle models/default] [--minutes 10] [--repeats 3]

The sound is a simulated pump's, in recordings of one window; listening (log-mel and encoder) is timed apart.
Target: ten minutes are fitted in less than 10 s, the profile is smaller than 100 kB.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from edge_agent.agent.hearing.offline import OfflineAnalyser
from edge_agent.commissioning.lesson import Lesson
from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.features import Recording
from edge_agent.inference.bundle import load_bundle
from edge_agent.pipeline.window import WindowShape
from edge_agent.simulate import MachineSimulator, MachineType, random_spec

TARGET_S = 10.0
TARGET_BYTES = 100_000
_RATE_HZ = 16_000
_WINDOW_S = 10


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=Path("models/default"))
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args(argv)
    lesson = Lesson("pump_1", "pump", load_bundle(arguments.bundle), AlarmBudget())
    analyser = OfflineAnalyser(lesson.bundle, WindowShape())
    with tempfile.TemporaryDirectory() as directory:
        paths = _write(Path(directory), round(arguments.minutes * 60 / _WINDOW_S))
        started_s = time.process_time()
        recordings = [_heard(analyser, path) for path in paths]
        listening_s = time.process_time() - started_s
    fits_s = []
    for _ in range(arguments.repeats):
        started_s = time.process_time()
        learnt = lesson.learn(recordings)
        fits_s.append(time.process_time() - started_s)
    profile_bytes = len(learnt.profile.to_bytes())
    started_s = time.process_time()
    normals_bytes = len(lesson.normals(recordings).to_bytes())
    packing_s = time.process_time() - started_s
    print(f"sound               {arguments.minutes:g} min, {len(recordings)} windows")
    print(f"listening           {listening_s:.2f} s of one core")
    print(f"fitting             {np.median(fits_s):.2f} s of one core (target {TARGET_S:g} s)")
    print(f"profile             {profile_bytes} bytes (target {TARGET_BYTES})")
    print(f"kept normals        {normals_bytes} bytes, {packing_s:.2f} s to pack")
    return int(np.median(fits_s) >= TARGET_S or profile_bytes >= TARGET_BYTES)


def _write(directory: Path, clips: int) -> list[Path]:
    """Recordings of one machine, each from its own day."""
    spec = random_spec(MachineType.PUMP, np.random.default_rng(11), "pump_1")
    paths = []
    for seed in range(clips):
        paths.append(directory / f"{seed:04}.wav")
        soundfile.write(paths[-1], MachineSimulator(spec, seed=seed).render(_WINDOW_S * _RATE_HZ), _RATE_HZ)
    return paths


def _heard(analyser: OfflineAnalyser, path: Path) -> Recording:
    windows = [item.window for item in analyser.recording(path) if item.rejected is None]
    return Recording(
        path.name,
        tuple(w.features for w in windows),
        tuple(w.level for w in windows),
        tuple(w.start_s for w in windows),
    )


if __name__ == "__main__":
    sys.exit(main())
