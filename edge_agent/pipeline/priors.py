"""What a bundle knows of machine types, in the detectors' terms."""

from edge_agent.detection.embedding import EmbeddingDetector
from edge_agent.detection.prior import DetectorPrior, TypePrior
from edge_agent.detection.reconstruction import ReconstructionDetector
from edge_agent.detection.shape import ShapeDetector
from edge_agent.inference.bundle import Bundle

NEUTRAL_TYPE = "neutral"

# Normal clips of one machine have errors within 3 to 6 % of each other (the MLPerf Tiny autoencoder on three toy cars):
# far closer than distances are. The machine's own clips soon outweigh the guess.
_EXPECTED = {ReconstructionDetector.name: DetectorPrior(weight=1.0, spread=0.08, spread_strength=2.0)}


def type_prior(bundle: Bundle, machine_type: str) -> TypePrior:
    """The prior of a machine type; the generic one, under its own name, where the bundle lacks the type.

    A bundle without any types, as one made from a model alone, gets the neutral prior.

    Raises:
        BundleError: The bundle has types, but neither this one nor the generic one.
        DetectionError: Its arrays are no prior.
    """
    if not bundle.manifest.machine_types:
        return neutral_prior(bundle)
    name, arrays = bundle.type_arrays(machine_type)
    return TypePrior.from_arrays(name, arrays)


def neutral_prior(bundle: Bundle) -> TypePrior:
    """A prior that expects nothing of the machine and lets the model speak: one weight for each thing that it tells.

    A model that tells neither an embedding nor an error leaves the shape of the spectrum, with the machine's own
    covariance. The prior is bound to the model's file: a profile learnt with one model is refused with another.
    """
    spec = bundle.manifest.encoder
    spoken = {"embedding": EmbeddingDetector.name, "reconstruction": ReconstructionDetector.name}
    names = [name for semantics, name in spoken.items() if spec.output(semantics)] or [ShapeDetector.name]
    detectors = {name: _EXPECTED.get(name, DetectorPrior(weight=1.0)) for name in names}
    model = next(entry for entry in bundle.manifest.files if entry.path == spec.file)
    return TypePrior(NEUTRAL_TYPE, detectors, machines=0, model_sha256=model.sha256)
