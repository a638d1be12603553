"""`training-hub train`."""

import argparse
from pathlib import Path

from training_hub.commands._paths import add_data_arguments

NAME = "train"
HELP = "train an encoder; run it again with the same arguments to go on after an interruption"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--mix", choices=("clean", "all"), default="clean", help="`all` is for measuring, not shipping")
    parser.add_argument(
        "--leave-out",
        action="append",
        default=[],
        metavar="TYPE",
        help="a recorded machine type to evaluate on; repeat",
    )
    parser.add_argument("--out", type=Path, required=True, help="the run's directory")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=45.0, help="time to spend")
    parser.add_argument("--steps", type=int, default=0, help="number of steps instead, for exact repetition")
    add_data_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Train, with progress on standard error."""
    from rich.console import Console  # noqa: PLC0415  # quick --help
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    from training_hub.training import history  # noqa: PLC0415
    from training_hub.training.dataset import Mix, build_training_set, load_recordings  # noqa: PLC0415
    from training_hub.training.feature_cache import FeatureCache  # noqa: PLC0415
    from training_hub.training.finish import finish_run  # noqa: PLC0415
    from training_hub.training.plan import TrainingPlan  # noqa: PLC0415
    from training_hub.training.simulated import SimulationPlan  # noqa: PLC0415
    from training_hub.training.trainer import Trainer  # noqa: PLC0415

    console = Console(stderr=True)
    plan = TrainingPlan(
        mix=Mix(arguments.mix),
        unseen_types=tuple(sorted(set(arguments.leave_out))),
        seed=arguments.seed,
        minutes=arguments.minutes,
        steps=arguments.steps,
    )
    cache = FeatureCache(arguments.cache)
    recordings = load_recordings(
        plan.mix,
        cache,
        data=arguments.data,
        plan=SimulationPlan(),
        unseen_types=plan.unseen_types,
        progress=console.print,
    )
    data = build_training_set(recordings, cache.settings)
    trainer = Trainer(plan, data, arguments.out, settings=cache.settings)
    labels = len(data.labels)
    console.print(
        f"{labels} machines, {len(data.train.lengths)} recordings, {len(data.test)} held out, {data.skipped} short; "
        f"{trainer.architecture.parameters(labels):,} parameters, {trainer.architecture.macs(labels):,} MAC a patch"
    )
    if trainer.step:
        console.print(f"going on at step {trainer.step} of {trainer.steps}")
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=trainer.steps or None, completed=trainer.step)
        for now in trainer.run():
            point = now.point
            text = f"loss {point.loss:.3f}  recognised {point.accuracy:.3f}  {1e3 * point.step_s:.0f} ms/step"
            bar.update(task, total=now.steps, completed=now.step, description=text)
            if point.test_accuracy is not None:
                console.print(f"step {point.step}: {text}  held-out {point.test_accuracy:.3f}")
                history.draw_curves(arguments.out, history.read(arguments.out, now.step))
    record = finish_run(trainer, data)
    print(f"{arguments.out}: {record.steps} steps, held-out patches recognised {record.float_accuracy:.3f}")
    return 0
