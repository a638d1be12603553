import csv
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.commission import commission
from edge_agent.detection.prior import TypePrior
from edge_agent.detection.scorer import MachineScorer
from tests.detection import sounds
from training_hub.training.errors import TrainingError
from training_hub.training.fit_type import fit_generic, fit_prior
from training_hub.training.normals import MachineNormals, read_normals

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("MACHINE_SOUND_DATA", ROOT.parent / "shared" / "data"))


def normals(machine: int, count: int = 12, machine_type: str = "fan") -> MachineNormals:
    windows = tuple(sounds.window(100 * machine + k, machine).log_mel_db for k in range(count))
    return MachineNormals(machine_type, f"m{machine}", windows, np.arange(count))


def write_npz(path: Path) -> Path:
    clips = np.array([sounds.window(k, machine=k % 2).log_mel_db for k in range(12)], np.float16)
    clips[10:] += np.linspace(-40, 40, 128, dtype=np.float16)  # anomalies that must not be learnt
    anomalous = np.arange(12) >= 10
    np.savez(path, log_mel_db=clips, machine_id=np.array([f"id_{k % 2}" for k in range(12)]), anomalous=anomalous)
    return path


def write_manifest(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    rows = []
    for machine in ("a", "b"):
        for k, condition in enumerate(["normal", "normal", "normal", "anomaly", "background", "state_run"]):
            name = f"{machine}_{k}.wav"
            soundfile.write(folder / name, 0.05 * rng.standard_normal(22_050 * 5), 22_050)
            rows.append([name, "fan", machine, condition, f"g{k // 2}"])
    with open(folder / "manifest.csv", "w", newline="") as file:
        csv.writer(file).writerows([["file", "machine_type", "machine_id", "condition", "group"], *rows])
    return folder / "manifest.csv"


def test_npz_gives_its_normal_clips_by_machine(tmp_path: Path) -> None:
    machines = read_normals([write_npz(tmp_path / "clips.npz")], "fan")
    assert [(m.machine_type, m.machine_id, len(m.windows)) for m in machines] == [
        ("fan", "id_0", 5),
        ("fan", "id_1", 5),
    ]


def test_manifest_gives_normals_and_states_resampled(tmp_path: Path) -> None:
    machines = read_normals([write_manifest(tmp_path)], "fan")
    assert [(m.machine_id, len(m.windows)) for m in machines] == [
        ("a", 3),
        ("a:state_run", 1),
        ("b", 3),
        ("b:state_run", 1),
    ]
    assert machines[0].windows[0].shape == (155, 128)
    assert machines[0].recordings.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,machine_type\nx.wav,fan\n", r"manifest.csv:2: no machine_id, condition"),
        ("file,machine_type,machine_id,condition\nx.wav,fan,a,normal\n", "x.wav: cannot be read"),
        ("file,machine_type,machine_id,condition\nx.wav,pump,a,normal\n", "no normal clip of type 'fan'"),
    ],
)
def test_bad_manifests_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(TrainingError, match=message):
        read_normals([tmp_path / "manifest.csv"], "fan")


def test_bad_npz_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", log_mel_db=np.zeros((2, 3, 64), np.float32))
    np.savez(tmp_path / "b.npz", log_mel_db=np.zeros((2, 3, 128), np.float32))
    np.savez(tmp_path / "c.npz", log_mel_db=np.array([{}], dtype=object))
    for name, message in (("a", "log_mel_db"), ("b", "machine_id"), ("c", "pickled"), ("d", "No such file")):
        with pytest.raises(TrainingError, match=message):
            read_normals([tmp_path / f"{name}.npz"], "fan")


def test_the_covariance_is_of_one_machine_not_between_machines() -> None:
    prior = fit_prior("fan", [normals(0), normals(1), normals(2)])
    covariance = prior.of("shape").covariance
    assert covariance is not None
    tilt = np.linspace(-1, 1, 128) / np.linalg.norm(np.linspace(-1, 1, 128))
    assert tilt @ covariance @ tilt > 0.5 * np.trace(covariance)  # what varies within each machine
    between = sounds.colour(0) - sounds.colour(1)
    between -= between.mean() + tilt * (tilt @ between)
    between /= np.linalg.norm(between)
    assert between @ covariance @ between < 0.05 * np.trace(covariance)
    assert prior.machines == 3 and prior.of("shape").strength == 33.0


def test_a_fitted_type_survives_the_bundle_and_helps_a_new_machine() -> None:
    fitted = fit_prior("fan", [normals(1), normals(2), normals(3)])
    prior = TypePrior.from_arrays("fan", fitted.to_arrays())
    assert prior.digest == fitted.digest
    clips = [sounds.recording(seed) for seed in range(6)]
    change = np.zeros(128)
    change[40:60] = 0.8

    def separation(used: TypePrior) -> float:
        scorer = MachineScorer(commission("m", "fan", clips, used, None, AlarmBudget(), created_ns=1), used)
        normal = [scorer.score(sounds.window(700 + k)).score for k in range(20)]
        odd = [scorer.score(sounds.window(800 + k, change_db=change)).score for k in range(20)]
        return float(np.mean(np.array(odd)[:, None] > np.array(normal)[None, :]))

    assert separation(prior) > 0.9


def test_the_generic_prior_weighs_types_alike_and_is_worth_little() -> None:
    generic = fit_generic([normals(0), normals(1), normals(2, machine_type="pump")])
    assert generic.name == "generic" and generic.machines == 3
    assert generic.of("shape").strength < 10


def test_too_few_clips_are_refused() -> None:
    with pytest.raises(TrainingError, match="3 normal clips"):
        fit_prior("fan", [normals(0, count=2)])


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="recordings for development are not here (MACHINE_SOUND_DATA)")
def test_toycar_type_is_fitted_on_real_normals() -> None:
    machines = read_normals([DATA / "toycar_logmel" / "ids_01_02_03.npz"], "ToyCar")
    assert [len(m.windows) for m in machines] == [45, 35, 35]
    prior = fit_prior("ToyCar", machines)
    assert 0.1 < prior.of("shape").spread < 1.0
