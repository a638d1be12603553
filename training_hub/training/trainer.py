"""One training run: reproducible from its seed, resumable after a kill."""

import copy
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from edge_agent.inference.manifest import InputSpec
from edge_agent.signal.settings import SignalSettings
from training_hub.training.architecture import Architecture
from training_hub.training.augment import AugmentSettings, Batch, augment
from training_hub.training.checkpoint import load_checkpoint, save_checkpoint
from training_hub.training.dataset import TrainingSet, held_out_patches
from training_hub.training.description import Describer
from training_hub.training.heads import SubCentreArcFace, known_loss, unknown_loss
from training_hub.training.history import HistoryPoint, append, read, rewrite
from training_hub.training.normalisation import measure_input, standardised
from training_hub.training.plan import TrainingPlan
from training_hub.training.sampler import Sampler
from training_hub.training.torch_net import TorchNet
from training_hub.training.weight_average import average_weights

_WARM_STEPS = 20  # kernels are chosen and caches filled; the first steps take up to ten times as long
_MEASURED_STEPS = 40
_REPORT_EVERY = 50
_TEST_EVERY = 500
_CHECKPOINT_EVERY_S = 60.0
_WARM_UP = 0.04
# until the number of steps is known, warm-up and margin grow as in an hour's run on two cores
_STEPS_UNKNOWN = 25_000
_TEST_PATCHES = 4096
# Real machines are few beside simulated ones, and matter more.
_RECORDED_WEIGHT = 4.0


@dataclass(frozen=True)
class Progress:
    """Where a run stands."""

    step: int
    steps: int
    spent_s: float
    point: HistoryPoint


class Trainer:
    """Trains one encoder.

    Args:
        plan: What to do.
        data: What to learn from.
        directory: Where checkpoints and history go; a run found there goes on.
        settings: The signal contract.
        architecture: The net.
        augmentation: How patches are changed.
    """

    def __init__(
        self,
        plan: TrainingPlan,
        data: TrainingSet,
        directory: Path,
        *,
        settings: SignalSettings | None = None,
        architecture: Architecture | None = None,
        augmentation: AugmentSettings | None = None,
    ) -> None:
        plan.check_resumes(directory)
        # the agent pins BLAS to one thread when it is imported; training takes the machine
        torch.set_num_threads(os.cpu_count() or 1)
        self.plan, self.directory = plan, directory
        self.labels = data.labels
        self.architecture = architecture or Architecture()
        self._augmentation = augmentation or AugmentSettings()
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(plan.seed)
        self.net = TorchNet(self.architecture, len(data.labels), self._device)
        self.averaged = copy.deepcopy(self.net)
        self.averaged.module.requires_grad_(False)
        self._class_labels = torch.from_numpy(data.class_labels).to(self._device)
        self._head = SubCentreArcFace(
            len(data.class_labels),
            self.architecture.embedding,
            generator=self._generator(-1),
            device=self._device,
            margin=plan.margin,
        )
        patch_frames = (settings or SignalSettings()).patch_frames
        self._patches = Sampler(data.train, patch_frames, self._device, _label_weights(data))
        self._noise = Sampler(data.noise, patch_frames, self._device)
        first = [self._batch(-2 - k) for k in range(8)]
        self.input: InputSpec = measure_input(torch.cat([batch.patches for batch in first]))
        self._describer = Describer(
            self.architecture.embedding,
            torch.cat([batch.clean for batch in first]),
            generator=self._generator(-50),
        )
        self._all = torch.nn.ModuleDict({"net": self.net.module, "averaged": self.averaged.module})
        self._all.register_parameter("head", self._head.weight)
        self._all.register_parameter("describer", self._describer.weight)
        self._trained = [*self.net.module.parameters(), self._head.weight, self._describer.weight]
        self._optimiser = torch.optim.AdamW(self._trained, lr=1e-9, weight_decay=plan.weight_decay)
        self._test = self._test_tensors(data, settings or SignalSettings())
        self.step, self.steps, self.spent_s = 0, plan.steps, 0.0
        restored = load_checkpoint(directory, self._all, self._optimiser)
        if restored:
            self.step, self.steps, self.spent_s = int(restored["step"]), int(restored["steps"]), restored["spent_s"]
        rewrite(directory, read(directory, self.step))

    def run(self) -> Iterator[Progress]:
        """Train to the end, yielding at every report."""
        saved_s = time.monotonic()
        while self.steps == 0 or self.step < self.steps:
            before_s, first = time.monotonic(), self.step
            losses, right, alone = 0.0, 0.0, 0.0
            measures = self.steps == 0 and self.step >= _WARM_STEPS
            stop = self.step + (_MEASURED_STEPS if measures else _WARM_STEPS if self.steps == 0 else _REPORT_EVERY)
            stop = min(stop, self.steps or stop)
            while self.step < stop:
                loss, hits, plain = self._train_step()
                losses, right, alone = losses + loss, right + hits, alone + plain
            step_s = (time.monotonic() - before_s) / (self.step - first)
            self.spent_s += time.monotonic() - before_s
            if measures:
                self.steps = self.step + max(0, round((60.0 * self.plan.minutes - self.spent_s) / step_s))
            due = self.step // _TEST_EVERY != first // _TEST_EVERY or self.step == self.steps
            point = HistoryPoint(
                step=self.step,
                loss=losses / (self.step - first),
                accuracy=right / max(alone, 1.0),
                test_accuracy=self.test_accuracy() if due else None,
                learning_rate=self._learning_rate(),
                step_s=step_s,
            )
            append(self.directory, point)
            if time.monotonic() - saved_s > _CHECKPOINT_EVERY_S or self.step == self.steps:
                self.save()
                saved_s = time.monotonic()
            yield Progress(self.step, self.steps, self.spent_s, point)

    def representative(self, count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        """Standardised, augmented patches of all machines `[count, frames, bands, 1]`, to choose int8 ranges by."""
        parts = []
        for k in range(-(-count // self.plan.batch)):
            parts.append(standardised(self._batch(-100 - k).patches, self.input).cpu().numpy())
        return np.concatenate(parts)[:count, ..., None]

    def test_accuracy(self) -> float:
        """Share of held-out patches whose machine the averaged float net recognises; NaN without any."""
        patches, labels = self._test
        if not len(labels):
            return math.nan
        self.averaged.module.eval()
        with torch.inference_mode():
            hits = sum(
                int((self.averaged(part.to(self._device))[1].argmax(1).cpu() == label).sum())
                for part, label in zip(patches.split(512), labels.split(512), strict=True)
            )
        return hits / len(labels)

    def _train_step(self) -> tuple[float, float, float]:
        for group in self._optimiser.param_groups:
            group["lr"] = self._learning_rate()
        batch = self._batch(self.step)
        embeddings, logits = self.net(standardised(batch.patches, self.input))
        loss = self._loss(embeddings, logits, batch)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._trained, 5.0)
        self._optimiser.step()
        average_weights(self.averaged.module, self.net.module, self.step, self.plan.averaging)
        self.step += 1
        plain = (batch.weights == 1.0) & ~batch.background
        hits = (logits.detach().argmax(1) == self._class_labels[batch.classes]) & plain
        return float(loss.detach()), float(hits.sum()), float(plain.sum())

    def _loss(self, embeddings: torch.Tensor, logits: torch.Tensor, batch: Batch) -> torch.Tensor:
        easing = self._share_of_run(self.plan.margin_growth)

        def one(classes: torch.Tensor) -> torch.Tensor:
            known = known_loss(logits, self._class_labels[classes], self.plan.label_smoothing)
            angular = self._head.loss(embeddings, classes, easing)
            return (1.0 - self.plan.angular_weight) * known + self.plan.angular_weight * angular

        machines = batch.weights * one(batch.classes) + (1.0 - batch.weights) * one(batch.partners)
        machines = machines + self.plan.description_weight * self._describer.loss(embeddings, batch.clean)
        return torch.where(batch.background, self.plan.background_weight * unknown_loss(logits), machines).mean()

    def _batch(self, step: int) -> Batch:
        """The batch of a step: it depends on the seed and the step alone, so a resumed run sees what it would have."""
        generator = self._generator(step)
        patches, classes = self._patches.draw(self.plan.batch, generator)
        noise, _ = self._noise.draw(self.plan.batch, generator)
        return augment(patches, classes, noise, generator, self._augmentation)

    def _generator(self, step: int) -> torch.Generator:
        seed = int(np.random.SeedSequence([self.plan.seed, step + 1_000_000]).generate_state(1, np.uint64)[0] >> 1)
        return torch.Generator().manual_seed(seed)

    def _share_of_run(self, part: float) -> float:
        """How far the first `part` of the run has passed, 0 to 1."""
        return min(1.0, (self.step + 1) / max(1.0, part * (self.steps or _STEPS_UNKNOWN)))

    def _learning_rate(self) -> float:
        steps = self.steps or _STEPS_UNKNOWN
        warm = max(1.0, _WARM_UP * steps)
        if self.step < warm:
            return self.plan.learning_rate * (self.step + 1) / warm
        return self.plan.learning_rate * (0.5 + 0.5 * math.cos(math.pi * (self.step - warm) / max(1.0, steps - warm)))

    def _test_tensors(self, data: TrainingSet, settings: SignalSettings) -> tuple[torch.Tensor, torch.Tensor]:
        index = {label.machine_id: k for k, label in enumerate(data.labels)}
        patches = [held_out_patches(recording, settings) for recording in data.test]
        labels = [index[r.machine_id] for r, p in zip(data.test, patches, strict=True) for _ in range(len(p))]
        if not patches:
            return torch.empty((0, settings.patch_frames, settings.n_mels)), torch.empty(0, dtype=torch.int64)
        values = torch.from_numpy(np.concatenate(patches))
        chosen = torch.randperm(len(labels), generator=self._generator(-3))[:_TEST_PATCHES]
        return standardised(values[chosen], self.input), torch.tensor(labels)[chosen]

    def save(self) -> None:
        """Write a checkpoint, from which another trainer of this directory goes on."""
        progress = {"step": self.step, "steps": self.steps, "spent_s": self.spent_s}
        save_checkpoint(self.directory, self._all, self._optimiser, progress)


def _label_weights(data: TrainingSet) -> torch.Tensor:
    simulated = [label.machine_id.startswith("sim_") for label in data.labels]
    return torch.tensor([1.0 if is_simulated else _RECORDED_WEIGHT for is_simulated in simulated])
