"""Simulated recordings to measure speed with, and a machine that was commissioned on some of them."""

import argparse
import contextlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from edge_agent.commands import commission
from edge_agent.simulate import MachineSimulator, MachineType, random_spec

RATE_HZ = 16_000
CLIP_S = 10
LEARNT = 6
MACHINE = "bench_fan"


@dataclass(frozen=True)
class Ground:
    """What is replayed.

    Attributes:
        clips: 16-bit WAV files of ten seconds each.
        state_dir: Where the machine's profile lies.
        bundle: The bundle's directory.
    """

    clips: tuple[Path, ...]
    state_dir: Path
    bundle: str | None

    @property
    def sound_s(self) -> float:
        """Seconds of sound of all clips."""
        return float(CLIP_S * len(self.clips))


def prepare(root: Path, clips: int, bundle: str | None) -> Ground:
    """Write recordings of a simulated fan below `root` and commission it."""
    root.mkdir(parents=True, exist_ok=True)
    spec = random_spec(MachineType.FAN, np.random.default_rng(1), MACHINE)
    simulator = MachineSimulator(spec, 1, RATE_HZ)
    paths = []
    for index in range(clips):
        paths.append(root / f"{index:03}.wav")
        soundfile.write(paths[-1], simulator.render(CLIP_S * RATE_HZ), RATE_HZ, subtype="PCM_16")
    ground = Ground(tuple(paths), root / "state", bundle)
    parser = argparse.ArgumentParser()
    commission.configure(parser)
    words = ["--machine", MACHINE, "--state-dir", str(ground.state_dir), "--from", *map(str, paths[:LEARNT])]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        commission.run(parser.parse_args(words + ([] if bundle is None else ["--bundle", bundle])))
    return ground
