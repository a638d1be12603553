"""`make speech`: synthesise, train, convert to int8, measure, and write `models/speech`.

    python -m training_hub.speech.train [--out models/speech] [--steps N] [--seed N] [--patches N] [--measure]

It needs the extra [train] and espeak-ng, no recordings: those of `MACHINE_SOUND_DATA` and the voices of flite, where
they are there, only measure. The same machine gives the same detector; another one gives one as good.
"""

import argparse
import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.inference.runtime import TFLiteModel
from edge_agent.signal.logmel import log_mel_db
from edge_agent.signal.settings import SignalSettings
from edge_agent.speech.features import speech_patches
from edge_agent.speech.manifest import MANIFEST_NAME, MODEL_NAME, Figure, SpeechManifest, parse_manifest
from training_hub.speech.dataset import PatchSet, SetPlan, batches, make_set
from training_hub.speech.evaluate import (
    FloatArray,
    clip_recall,
    false_alarms,
    flite_voices,
    machine_clips,
    recall,
    test_voices,
)
from training_hub.speech.scenes import clatter, machine
from training_hub.speech.voices import Split

VERSION = "0.1.0"
OUT = Path("models/speech")
STEPS = 1_000
BATCH = 128
FALSE_ALARM_SHARE = 0.01
"""Of patches without speech, of scenes that were not trained on: where the threshold is set."""


def main(argv: Sequence[str] | None = None) -> int:
    """Train and write the detector; the figures go to its manifest and to standard output."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--patches", type=int, default=SetPlan().patches)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--measure", action="store_true", help="measure the detector in --out again, train nothing")
    parser.add_argument("--pieces", type=int, default=400, help="pieces of speech of each kind that are measured")
    options = parser.parse_args(argv)
    share = options.patches / SetPlan().patches
    plan = SetPlan(
        utterances=max(20, round(SetPlan().utterances * share)),
        scenes=max(20, round(SetPlan().scenes * share)),
        patches=options.patches,
        seed=options.seed,
    )
    test = make_set(Split.TEST, SetPlan(plan.utterances // 5, plan.scenes // 5, plan.patches // 5, plan.seed), _say)
    manifest, content = again(options.out) if options.measure else trained(plan, options.steps, test)
    model = TFLiteModel(content, name=MODEL_NAME)
    manifest = manifest.model_copy(update={"results": measure(model, manifest.threshold, test, options.pieces)})
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / MODEL_NAME).write_bytes(content)
    (options.out / MANIFEST_NAME).write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
    _say(f"wrote {options.out}: {len(content)} bytes")
    return 0


def again(directory: Path) -> tuple[SpeechManifest, bytes]:
    """A detector as it lies there."""
    manifest = parse_manifest((directory / MANIFEST_NAME).read_bytes(), name=str(directory / MANIFEST_NAME))
    return manifest, (directory / MODEL_NAME).read_bytes()


def trained(plan: SetPlan, steps: int, test: PatchSet) -> tuple[SpeechManifest, bytes]:
    """A new detector; only its threshold is taken from `test`, from the scenes without speech."""
    train = make_set(Split.TRAIN, plan, _say)
    content = convert(fit(train, steps=steps, seed=plan.seed), train)
    quiet = test.patches[~test.speech].astype(np.float32)
    manifest = SpeechManifest(
        schema_version=1,
        name="speech",
        version=VERSION,
        licence="Apache-2.0",
        signal_sha256=SignalSettings().hash,
        model_sha256=hashlib.sha256(content).hexdigest(),
        threshold=choose_threshold(logits_of(TFLiteModel(content, name=MODEL_NAME), quiet)),
        trained_on=f"{plan.utterances} utterances of espeak-ng voices over {plan.scenes} simulated machines and sounds "
        "that move like speech; no person's voice and no recording",
        seed=plan.seed,
        steps=steps,
    )
    return manifest, content


def fit(data: PatchSet, *, steps: int, seed: int) -> Any:  # noqa: ANN401  (Keras has no types)
    """Train a net; minutes on two cores."""
    import keras  # noqa: PLC0415  # takes seconds; only training needs it

    from training_hub.speech.net import build_net  # noqa: PLC0415

    keras.utils.set_random_seed(seed)
    net = build_net()
    schedule = keras.optimizers.schedules.CosineDecay(1e-4, steps, warmup_target=4e-3, warmup_steps=steps // 20)
    net.compile(
        keras.optimizers.AdamW(schedule, weight_decay=1e-3),
        keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.02),
    )
    losses = []
    for step, (patches, speech) in enumerate(batches(data, BATCH, np.random.default_rng(seed)), start=1):
        losses.append(float(net.train_on_batch(patches[..., None], speech[:, None])))
        if step % 250 == 0:
            _say(f"step {step}: loss {losses[-1]:.3f}")  # Keras averages it since the start
        if step == steps:
            return net
    raise AssertionError("batches never end")


def convert(net: Any, data: PatchSet) -> bytes:  # noqa: ANN401
    """To int8 throughout, ranges from 400 patches."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf  # noqa: PLC0415

    converter = tf.lite.TFLiteConverter.from_keras_model(net)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([row[None, ..., None].astype(np.float32)] for row in data.patches[:400])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    content: bytes = converter.convert()
    return content


def choose_threshold(without_speech: FloatArray) -> float:
    """The logit that `FALSE_ALARM_SHARE` of patches without speech reach."""
    return float(np.quantile(without_speech, 1.0 - FALSE_ALARM_SHARE))


def logits_of(model: TFLiteModel, patches: FloatArray) -> FloatArray:
    """Of patches `[n, 64, 128]`."""
    return model.run(patches)[0].reshape(-1)


def measure(model: TFLiteModel, threshold: float, test: PatchSet, pieces: int) -> tuple[Figure, ...]:
    """Every figure of the manifest."""

    def logits(frames: FloatArray) -> FloatArray:
        return logits_of(model, speech_patches(frames))

    figures: list[Figure] = []
    held_out = logits_of(model, test.patches[test.speech].astype(np.float32)) >= threshold
    figures.append(
        Figure(name="recall", value=float(held_out.mean()), on="voices and scenes never trained on, -3 to 25 dB")
    )
    clips = list(_clips())
    scenes = [samples for kind, _, samples in clips if not kind.startswith("background")] or _scenes()
    bed = "recorded machines" if clips else "simulated machines"
    for name, voices in (("espeak-ng, not trained on", test_voices()), ("flite", flite_voices())):
        if not voices:
            continue
        for found in recall(logits, threshold, name=name, voices=voices, scenes=scenes, count=pieces):
            on = f"two seconds, {name}, {found.snr_db:g} dB over {bed}"
            figures.append(Figure(name="recall", value=found.found, on=on))
        for found in clip_recall(logits, threshold, name=name, voices=voices, scenes=scenes, count=pieces // 2):
            on = f"clips of ten seconds, six of them spoken, {name}, {found.snr_db:g} dB over {bed}"
            figures.append(Figure(name="recall", value=found.found, on=on))
    frames = [(kind, group, log_mel_db(samples)) for kind, group, samples in clips]
    for alarm in false_alarms(logits, threshold, frames):
        on = f"{alarm.name}: {alarm.clips} clips of {alarm.groups} recordings, none trained on"
        figures.append(Figure(name="clips taken for speech", value=alarm.flagged, on=on))
        figures.append(Figure(name="patches taken for speech", value=alarm.patches, on=on))
    for figure in figures:
        _say(f"{figure.name} {figure.value:.4f}: {figure.on}")
    return tuple(figures)


def _clips() -> list[tuple[str, str, FloatArray]]:
    data = os.environ.get("MACHINE_SOUND_DATA")
    if not data or not (Path(data) / "manifest.csv").is_file():
        return []
    return [(kind, group, samples) for _, kind, group, samples in machine_clips(Path(data) / "manifest.csv")]


def _scenes() -> list[NDArray[np.float32]]:
    rng = np.random.default_rng(77)
    return [machine(rng, 20.0) if k % 2 else clatter(rng, 20.0) for k in range(40)]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
