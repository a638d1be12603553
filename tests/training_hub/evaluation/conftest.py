"""Simulated machines, a bundle around the tiny real encoder: the whole evaluation without a recording."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_agent.inference.bundle import Bundle, load_bundle
from edge_agent.inference.manifest import FileEntry, Label, Manifest
from edge_agent.signal.settings import SignalSettings
from edge_agent.simulate import MachineSimulator, MachineType, fault_kinds, random_spec
from tests.support.bundles import tiny_encoder
from training_hub.evaluation.clips import EvalClip
from training_hub.evaluation.datasets import EvalData, from_clips
from training_hub.evaluation.listen import Listener
from training_hub.training.bundle_writer import write_manifest, write_npz
from training_hub.training.fit_type import fit_generic
from training_hub.training.normals import MachineNormals

MODEL = Path(__file__).parents[2] / "inference" / "fixtures" / "tiny_encoder.tflite"
SECONDS = 4


def simulated(machine_type: MachineType, machine: int, take: int, *, faulty: bool) -> np.ndarray:
    spec = random_spec(machine_type, np.random.default_rng([11, machine]), f"{machine_type}_{machine}")
    simulator = MachineSimulator(spec, seed=100 * machine + take + 50 * faulty)
    fault = fault_kinds(machine_type)[0] if faulty else None
    return simulator.render(16_000 * SECONDS, fault, 1.0 if faulty else 0.0)


MACHINES = ((MachineType.FAN, 0, 20, 6), (MachineType.FAN, 1, 5, 0), (MachineType.PUMP, 2, 5, 0))  # normals, anomalies


def simulated_clips() -> list[EvalClip]:
    clips = []
    for machine_type, machine, normals, anomalies in MACHINES:
        for take in range(normals + anomalies):
            faulty = take >= normals
            audio = simulated(machine_type, machine, take, faulty=faulty)
            clips.append(
                EvalClip(
                    name=f"{machine_type}_{machine}/{take:02d}",
                    machine_type=machine_type.value,
                    machine_id=f"{machine_type}_{machine}",
                    condition="anomaly" if faulty else "normal",
                    group=f"take{take}",
                    read_audio=lambda audio=audio: audio,
                )
            )
    for take in range(24):
        noise = np.random.default_rng(take).normal(0, 0.05, 16_000 * SECONDS).astype(np.float32)
        clips.append(
            EvalClip(f"noise/{take}", "background", "noise", "background", f"noise{take}", lambda noise=noise: noise)
        )
    return clips


@pytest.fixture(scope="session")
def data() -> EvalData:
    return from_clips("simulated", simulated_clips())


@pytest.fixture(scope="session")
def listener() -> Listener:
    return Listener(tiny_encoder())


@pytest.fixture(scope="session")
def make_bundle(tmp_path_factory: pytest.TempPathFactory) -> Callable[[EvalData], Bundle]:
    def make(data: EvalData) -> Bundle:
        root = tmp_path_factory.mktemp("bundle")
        (root / "encoder.tflite").write_bytes(MODEL.read_bytes())
        listener, normals = Listener(tiny_encoder()), []
        for machine in data.machines:
            windows = tuple(listener.hear(clip).windows[0].features.log_mel_db for clip in machine.normals)
            recordings = np.arange(len(windows), dtype=np.int64)
            normals.append(MachineNormals(machine.machine_type, machine.machine_id, windows, recordings))
        write_npz(root / "types" / "generic.npz", fit_generic(normals).to_arrays())
        settings = SignalSettings()
        write_manifest(
            root,
            Manifest(
                schema_version=1,
                name="tiny",
                version="0.0.1",
                licence="Apache-2.0",
                minimum_agent_version="0.1.0",
                signal=settings,
                signal_sha256=settings.hash,
                encoder=tiny_encoder().spec,
                labels=tuple(Label(machine_id=f"fan_{k}", machine_type="fan") for k in range(3)),
                files=(FileEntry(path="encoder.tflite", sha256="0" * 64, size=1),),
            ),
        )
        return load_bundle(root, probe=False)

    return make
