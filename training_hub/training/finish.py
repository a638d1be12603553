"""From a trained net to the files that conversion and export read."""

import os

from training_hub.training.dataset import TrainingSet
from training_hub.training.representative import write_representative
from training_hub.training.run_record import KERAS_MODEL, RunRecord
from training_hub.training.trainer import Trainer

# From every machine and with every augmentation; more change no int8 range that matters.
_REPRESENTATIVE_PATCHES = 1024


def finish_run(trainer: Trainer, data: TrainingSet) -> RunRecord:
    """Write `encoder.keras`, `representative.npz` and `run.json` into the run's directory."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")  # Keras reads it when first imported
    from training_hub.training.keras_net import build_keras_net  # noqa: PLC0415

    labels = len(data.labels)
    model = build_keras_net(trainer.architecture, labels)
    model.set_weights(trainer.averaged.keras_weights())
    model.save(trainer.directory / KERAS_MODEL)
    write_representative(trainer.directory, trainer.representative(_REPRESENTATIVE_PATCHES))
    record = RunRecord(
        mix=trainer.plan.mix.value,
        unseen_types=trainer.plan.unseen_types,
        seed=trainer.plan.seed,
        steps=trainer.step,
        minutes=round(trainer.spent_s / 60.0, 1),
        labels=data.labels,
        input=trainer.input,
        sources=data.sources,
        parameters=trainer.architecture.parameters(labels),
        macs=trainer.architecture.macs(labels),
        float_accuracy=round(trainer.test_accuracy(), 4),
    )
    record.write(trainer.directory)
    return record
