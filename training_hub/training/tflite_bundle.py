"""A bundle around a `.tflite` file from anywhere: the manifest that lets the agent run it as it is."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from edge_agent.inference import golden
from edge_agent.inference.bundle import Bundle, load_bundle
from edge_agent.inference.encoder import Encoder
from edge_agent.inference.manifest import EncoderSpec, InputSpec, Label, OutputSpec
from edge_agent.inference.probe import probe_model
from edge_agent.inference.runtime import TFLiteModel
from edge_agent.signal.settings import SignalSettings
from training_hub.training.bundle_writer import write_manifest, write_npz
from training_hub.training.errors import TrainingError
from training_hub.training.export import ENCODER_FILE, BundleName, draft_manifest, golden_audio


@dataclass(frozen=True)
class ModelMeaning:
    """What a model's tensors mean, as far as the file does not tell.

    Attributes:
        input: How log-mel frames become its input.
        semantics: What each of its outputs is, in their order in the file: `embedding`, `logits`, `reconstruction`;
            `-` for one to leave alone.
        labels: What each logit stands for, where there are logits.
        reduction: How several vectors of a window become one value: `mean` or `max`.
    """

    input: InputSpec
    semantics: tuple[str, ...]
    labels: tuple[Label, ...] = ()
    reduction: str = "mean"


def encoder_of(content: bytes, meaning: ModelMeaning, *, name: str) -> Encoder:
    """The model as the agent will run it.

    Raises:
        TrainingError: It has other outputs than `meaning` names.
        BundleError: The runtime refuses it, or its input has another size.
    """
    probe_model(content, name=name)
    model = TFLiteModel(content, name=name)
    if len(meaning.semantics) != len(model.outputs):
        sizes = ", ".join(str(spec.size) for spec in model.outputs)
        raise TrainingError(
            f"{name}: {len(model.outputs)} outputs (of {sizes} values) and {len(meaning.semantics)} meanings; name one "
            "for each, - for an output to leave alone"
        )
    named = [(k, word) for k, word in enumerate(meaning.semantics) if word != "-"]
    outputs = tuple(
        OutputSpec.model_validate(
            {"tensor": k, "semantics": word, "size": model.outputs[k].size, "reduction": meaning.reduction}
        )
        for k, word in named
    )
    return Encoder(model, EncoderSpec(file=ENCODER_FILE, input=meaning.input, outputs=outputs))


def write_tflite_bundle(
    content: bytes, meaning: ModelMeaning, out: Path, called: BundleName, *, source: str = "model.tflite"
) -> Bundle:
    """Write a bundle of one model: the file, a self-test, the manifest. Nothing is left in `out` unless it verifies.

    Args:
        content: The `.tflite` file; it is not changed.
        meaning: What its tensors mean.
        out: The bundle's directory, which must not exist.
        called: Its name, version, description and licence.
        source: Name of the file, for messages.

    Raises:
        TrainingError: `out` exists, or the model's outputs are not those named.
        BundleError: The runtime refuses the model, or the bundle does not verify.
    """
    if out.exists():
        raise TrainingError(f"{out}: exists; give another directory")
    settings = SignalSettings()
    try:
        encoder = encoder_of(content, meaning, name=source)
        manifest = draft_manifest(encoder, called, settings, meaning.labels)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "manifest"
        raise TrainingError(f"{source}: {where}: {first['msg']}; correct what is said of the model") from error
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as name:
        root = Path(name) / "bundle"
        root.mkdir()
        (root / ENCODER_FILE).write_bytes(content)
        write_npz(root / "golden.npz", golden.to_arrays(golden.compute(golden_audio(settings), manifest, encoder)))
        write_manifest(root, manifest)
        load_bundle(root)
        root.rename(out)
    return load_bundle(out, probe=False, self_test=False)


def parse_labels(words: Sequence[str]) -> tuple[Label, ...]:
    """Labels from `MACHINE:TYPE` words.

    Raises:
        TrainingError: A word of another form.
    """
    labels = []
    for word in words:
        machine_id, colon, machine_type = word.partition(":")
        if not colon:
            raise TrainingError(f"label {word!r}: give MACHINE:TYPE, such as fan_1:fan")
        labels.append(Label(machine_id=machine_id, machine_type=machine_type))
    return tuple(labels)
