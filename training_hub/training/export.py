"""From a finished run to a bundle that the agent accepts."""

import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import edge_agent
from edge_agent.inference import golden
from edge_agent.inference.bundle import Bundle, load_bundle
from edge_agent.inference.encoder import Encoder
from edge_agent.inference.manifest import EncoderSpec, FileEntry, Label, Manifest, Measurement, OutputSpec, Training
from edge_agent.inference.runtime import TFLiteModel
from edge_agent.signal.settings import SignalSettings
from edge_agent.simulate import MachineSimulator, MachineType, random_spec
from training_hub.training.bundle_writer import write_manifest, write_npz
from training_hub.training.convert import Conversion, Precision, convert
from training_hub.training.errors import TrainingError
from training_hub.training.feature_cache import FeatureCache
from training_hub.training.model_card import write_model_card
from training_hub.training.recognition import measure_recognition
from training_hub.training.recording import Recording
from training_hub.training.representative import REPRESENTATIVE, read_representative
from training_hub.training.run_record import KERAS_MODEL, RunRecord
from training_hub.training.unseen import measure_unseen

ENCODER_FILE = "encoder.tflite"
_GOLDEN_FRAMES = 96  # two patches
# Measured: tflite-runtime 2.14, whose int8 kernels are its own, differs from ai-edge-litert 2.3 by up to 3 steps in
# single numbers (cosine .999).
TOLERANCE_LSB = 4


@dataclass(frozen=True)
class BundleName:
    """How a bundle is called."""

    name: str
    version: str
    description: str
    licence: str = "Apache-2.0"


def export_bundle(
    run: Path,
    out: Path,
    called: BundleName,
    held_out: Sequence[Recording],
    *,
    cache: FeatureCache | None = None,
    types_from: Path | None = None,
    notes: str = "",
    replace: bool = False,
) -> Bundle:
    """Convert, measure and write a run's encoder as a bundle; nothing is written to `out` before it verifies.

    Args:
        run: A finished run's directory.
        out: The bundle's directory.
        called: Its name and version.
        held_out: Recordings that the run did not train on.
        cache: Where features of simulated machines are kept; with it weak faults of machines that no run saw are
            measured as well.
        types_from: A bundle whose machine types are taken over.
        notes: Markdown for the end of the model card.
        replace: Whether `out` may be replaced.

    Raises:
        TrainingError: The run is unfinished, or `out` exists.
        BundleError: The result does not verify.
    """
    if out.exists() and not replace:
        raise TrainingError(f"{out}: exists; give another directory or --replace")
    record = RunRecord.read(run)
    inputs = read_representative(run / REPRESENTATIVE)
    int8 = convert(run / KERAS_MODEL, inputs)
    plain = convert(run / KERAS_MODEL, inputs, Precision.FLOAT32)
    settings = SignalSettings()
    encoder = _encoder(int8, record)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as name:
        root = Path(name) / "bundle"
        root.mkdir()
        (root / ENCODER_FILE).write_bytes(int8.content)
        if types_from is not None:
            _copy_types(types_from, root)
        results = (
            *_recognition(encoder, _encoder(plain, record), held_out, record, settings),
            *(_unseen(encoder, cache) if cache is not None else ()),
            *_sizes(int8, record, encoder),
        )
        training = Training(data=record.sources, seed=record.seed, steps=record.steps, minutes=record.minutes)
        manifest = draft_manifest(encoder, called, settings, record.labels, training=training, results=results)
        expected = golden.compute(golden_audio(settings), manifest, encoder)
        write_npz(root / "golden.npz", golden.to_arrays(expected))
        (root / "MODEL_CARD.md").write_text(write_model_card(manifest, notes))
        write_manifest(root, manifest)
        load_bundle(root)
        if out.exists():
            shutil.rmtree(out)
        os.replace(root, out)
    return load_bundle(out)


def draft_manifest(
    encoder: Encoder,
    called: BundleName,
    settings: SignalSettings,
    labels: tuple[Label, ...],
    *,
    training: Training | None = None,
    results: tuple[Measurement, ...] = (),
) -> Manifest:
    """The manifest of a bundle around `encoder` before its files are there; `write_manifest` fills in their hashes.

    Raises:
        ValidationError: The parts contradict each other, or a name is no name.
    """
    return Manifest(
        schema_version=1,
        name=called.name,
        version=called.version,
        description=called.description,
        licence=called.licence,
        minimum_agent_version=edge_agent.__version__,
        signal=settings,
        signal_sha256=settings.hash,
        encoder=encoder.spec,
        labels=labels,
        golden_tolerance_lsb=TOLERANCE_LSB,
        files=(FileEntry(path=ENCODER_FILE, sha256="0" * 64, size=1),),
        training=training,
        results=results,
    )


def _encoder(conversion: Conversion, record: RunRecord) -> Encoder:
    outputs = {deviation.name: deviation for deviation in conversion.deviations}
    if set(outputs) != {"embedding", "logits"}:
        raise TrainingError(f"{KERAS_MODEL}: outputs {sorted(outputs)}; an encoder has embedding and logits")
    spec = EncoderSpec(
        file=ENCODER_FILE,
        input=record.input,
        outputs=(
            OutputSpec(tensor=outputs["embedding"].tensor, semantics="embedding", size=outputs["embedding"].size),
            OutputSpec(tensor=outputs["logits"].tensor, semantics="logits", size=outputs["logits"].size),
        ),
    )
    return Encoder(TFLiteModel(conversion.content, name=ENCODER_FILE), spec)


def _copy_types(source: Path, root: Path) -> None:
    bundle = load_bundle(source, probe=False, self_test=False)
    for machine_type in bundle.manifest.machine_types:
        target = root / "types" / f"{machine_type}.npz"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(bundle.read(f"types/{machine_type}.npz"))


def _recognition(
    int8: Encoder, plain: Encoder, held_out: Sequence[Recording], record: RunRecord, settings: SignalSettings
) -> list[Measurement]:
    results = []
    for kind, simulated in (("recorded", False), ("simulated", True)):
        chosen = [r for r in held_out if r.machine_id.startswith("sim_") is simulated]
        for precision, encoder in (("int8", int8), ("float", plain)):
            found = measure_recognition(encoder, chosen, record.labels, settings)
            if found is None:
                continue
            on = f"{found.count} held-out recordings of {kind} machines, {len(record.labels)} labels"
            results += [
                Measurement(name=f"machine recognised, one patch, {precision}", value=round(found.patches, 4), on=on),
                Measurement(
                    name=f"machine recognised, whole recording, {precision}", value=round(found.recordings, 4), on=on
                ),
            ]
    return results


def _unseen(encoder: Encoder, cache: FeatureCache) -> tuple[Measurement, ...]:
    found = measure_unseen(lambda patches: encoder.encode(patches).embeddings, cache)
    on = f"{found.faults} faults of simulated machines it never saw, embedding detector alone, AUC, int8"
    return (
        Measurement(name="weak fault found, quiet", value=round(found.quiet, 4), on=on),
        Measurement(name="weak fault found, noise 6 dB below the machine", value=round(found.noisy, 4), on=on),
    )


def _sizes(conversion: Conversion, record: RunRecord, encoder: Encoder) -> list[Measurement]:
    held = "inputs that did not choose the int8 ranges"
    results = [
        Measurement(name=f"int8 against float, {d.name}, cosine", value=round(d.cosine, 5), on=held)
        for d in conversion.deviations
    ]
    return [
        *results,
        Measurement(name="model file", value=len(conversion.content), unit="bytes", on=ENCODER_FILE),
        Measurement(name="parameters", value=record.parameters, on="batch norm folded"),
        Measurement(name="multiply-accumulates", value=record.macs, unit="per patch", on="counted"),
        Measurement(
            name="inference", value=_patch_ms(encoder), unit="ms per patch", on="one thread of the training machine"
        ),
    ]


def _patch_ms(encoder: Encoder) -> float:
    patch = np.random.default_rng(0).normal(-50, 10, (1, encoder.spec.input.frames, encoder.bands)).astype(np.float32)
    times_ms = []
    for _ in range(60):
        start_s = time.perf_counter()
        encoder.encode(patch)
        times_ms.append(1e3 * (time.perf_counter() - start_s))
    return round(float(np.median(times_ms)), 3)


def golden_audio(settings: SignalSettings) -> NDArray[np.int16]:
    """Two patches of a simulated pump: its bits are kept in the bundle, whatever the simulation becomes."""
    samples = (_GOLDEN_FRAMES - 1) * settings.hop_samples + settings.n_fft
    spec = random_spec(MachineType.PUMP, np.random.default_rng(5), "golden")
    audio = MachineSimulator(spec, seed=5, rate_hz=settings.sample_rate_hz).render(samples)
    stored: NDArray[np.int16] = np.clip(np.rint(audio * 32767.0), -32768, 32767).astype(np.int16)
    return stored
