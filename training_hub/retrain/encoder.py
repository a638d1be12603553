"""The encoder anew, from the clips that teach and from simulated machines. Needs the extra `train`."""

import importlib.util
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from edge_agent.inference.bundle import Bundle, load_bundle
from training_hub.jobs.context import JobCancelledError
from training_hub.retrain.clips import OWN_RECORDINGS, LearntClip
from training_hub.retrain.errors import RetrainError
from training_hub.retrain.request import RetrainRequest
from training_hub.training.recorded import is_clean
from training_hub.training.recording import Recording
from training_hub.training.simulated import SimulationPlan

_NEEDED = ("torch", "tensorflow", "keras")
Progress = Callable[[float, str], None]
Point = Callable[[str, int, float], None]


def require_train_extra() -> None:
    """Make sure that an encoder can be trained here.

    Raises:
        RetrainError: It cannot; the message says what to install.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise RetrainError(
            f"the encoder cannot be retrained here: {', '.join(missing)} not installed; "
            "pip install 'edge-agent[train,hub]', or retrain types, weights and faults alone"
        )


def teaching(clips: Sequence[LearntClip], *, clean_only: bool) -> list[Recording]:
    """Clips as training takes them: normal ones, and of those only what may be given away where that is asked for."""
    return [
        Recording(
            name=item.clip.clip_id,
            machine_id=item.clip.machine.replace("/", "."),
            machine_type=item.clip.machine_type,
            condition=item.clip.state or "normal",
            group=item.group,
            licence=item.clip.licence,
            log_mel_db=np.concatenate(item.windows).astype(np.float16),
        )
        for item in clips
        if not item.clip.anomalous
        and (not clean_only or item.clip.licence == OWN_RECORDINGS or is_clean(item.clip.licence))
    ]


def train_encoder(
    recordings: Sequence[Recording], base: Bundle, request: RetrainRequest, directory: Path, cache_dir: Path,
    *, version: str, progress: Progress, point: Point, simulation: SimulationPlan | None = None,
) -> Bundle:  # fmt: skip
    """Train, convert and write an encoder with the base's types; begun again in the same directory it goes on.

    Args:
        recordings: Beside simulated machines.
        base: Whose types are taken over.
        request: Minutes, seed, how many simulated machines.
        directory: Of checkpoints and the result.
        cache_dir: Where features of simulated machines are kept.
        version: Of the bundle.
        progress: Told how far it is; may raise to end it, and the next begin goes on from the last checkpoint.
        point: Told figures: name, step, value.
        simulation: How much to simulate, where not as the request says.

    Raises:
        RetrainError: The extra is not installed.
        TrainingError, BundleError: Training or conversion went wrong.
    """
    require_train_extra()
    from training_hub.training.dataset import Mix, build_training_set  # noqa: PLC0415  # loads torch and TensorFlow
    from training_hub.training.export import BundleName, export_bundle  # noqa: PLC0415
    from training_hub.training.feature_cache import FeatureCache  # noqa: PLC0415
    from training_hub.training.finish import finish_run  # noqa: PLC0415
    from training_hub.training.plan import TrainingPlan  # noqa: PLC0415
    from training_hub.training.simulated import simulate_recordings  # noqa: PLC0415
    from training_hub.training.trainer import Trainer  # noqa: PLC0415

    cache = FeatureCache(cache_dir)
    simulation = simulation or SimulationPlan(machines_per_type=request.simulated_machines)
    simulated = simulate_recordings(simulation, cache, lambda text: progress(0.0, text))
    data = build_training_set([*simulated, *recordings], cache.settings)
    plan = TrainingPlan(
        mix=Mix.CLEAN if request.clean_only else Mix.ALL,
        seed=request.seed,
        minutes=request.minutes,
        steps=request.steps,
    )
    trainer = Trainer(plan, data, directory / "run", settings=cache.settings)
    for now in trainer.run():
        point("loss", now.point.step, now.point.loss)
        point("recognised", now.point.step, now.point.accuracy)
        if now.point.test_accuracy is not None:
            point("held_out_recognised", now.point.step, now.point.test_accuracy)
        done = now.step / now.steps if now.steps else now.spent_s / (60.0 * request.minutes)
        try:
            progress(min(1.0, done), f"step {now.step}: loss {now.point.loss:.2f}")
        except JobCancelledError:
            trainer.save()
            raise
    finish_run(trainer, data)
    out = directory / "encoder"
    shutil.rmtree(out, ignore_errors=True)
    called = BundleName(base.manifest.name, version, base.manifest.description, base.manifest.licence)
    export_bundle(directory / "run", out, called, data.test, types_from=base.root)
    return load_bundle(out, probe=False)
