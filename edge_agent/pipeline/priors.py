"""What a bundle knows of machine types, in the detectors' terms."""

from dataclasses import replace

from edge_agent.detection.embedding import EmbeddingDetector
from edge_agent.detection.normals import Source
from edge_agent.detection.prior import DetectorPrior, TypePrior
from edge_agent.detection.reconstruction import ReconstructionDetector
from edge_agent.detection.shape import ShapeDetector
from edge_agent.inference.bundle import Bundle

NEUTRAL_TYPE = "neutral"

_SPOKEN = {"embedding": EmbeddingDetector.name, "reconstruction": ReconstructionDetector.name}
"""The detector that listens to each output of a model."""

# Normal clips of one machine have errors within 3 to 6 % of each other (the MLPerf Tiny autoencoder on three toy cars):
# far closer than distances are. The machine's own clips soon outweigh the guess.
_EXPECTED = {ReconstructionDetector.name: DetectorPrior(weight=1.0, spread=0.08, spread_strength=2.0)}


def type_prior(bundle: Bundle, machine_type: str) -> TypePrior:
    """The prior of a machine type; the generic one, under its own name, where the bundle lacks the type.

    A bundle without any types, as one made from a model alone, gets the neutral prior. A prior that lets the model
    speak is bound to its file: a profile learnt with one encoder is refused with another, whose embeddings mean
    something else.

    Raises:
        BundleError: The bundle has types, but neither this one nor the generic one.
        DetectionError: Its arrays are no prior.
    """
    if not bundle.manifest.machine_types:
        return neutral_prior(bundle)
    name, arrays = bundle.type_arrays(machine_type)
    prior = TypePrior.from_arrays(name, arrays)
    hears_model = any(prior.of(detector).weight > 0 for detector in _SPOKEN.values())
    return replace(prior, model_sha256=model_sha256(bundle)) if hears_model else prior


def neutral_prior(bundle: Bundle) -> TypePrior:
    """A prior that expects nothing of the machine and lets the model speak: one weight for each thing that it tells.

    A model that tells neither an embedding nor an error leaves the shape of the spectrum, with the machine's own
    covariance. The prior is bound to the model's file: a profile learnt with one model is refused with another.
    """
    spec = bundle.manifest.encoder
    names = [name for semantics, name in _SPOKEN.items() if spec.output(semantics)] or [ShapeDetector.name]
    detectors = {name: _EXPECTED.get(name, DetectorPrior(weight=1.0)) for name in names}
    return TypePrior(NEUTRAL_TYPE, detectors, machines=0, model_sha256=model_sha256(bundle))


def model_sha256(bundle: Bundle) -> str:
    """SHA-256 of the bundle's encoder: what embeddings and logits mean depends on it."""
    return next(entry.sha256 for entry in bundle.manifest.files if entry.path == bundle.manifest.encoder.file)


def feature_source(bundle: Bundle) -> Source:
    """What features of the bundle depend on besides the sound."""
    return Source(bundle.manifest.signal.hash, model_sha256(bundle))
