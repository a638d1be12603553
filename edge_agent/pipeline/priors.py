"""What a bundle knows of machine types, in the detectors' terms."""

from edge_agent.detection.prior import TypePrior
from edge_agent.inference.bundle import Bundle


def type_prior(bundle: Bundle, machine_type: str) -> TypePrior:
    """The prior of a machine type; the generic one, under its own name, where the bundle lacks the type.

    Raises:
        BundleError: The bundle has neither.
        DetectionError: Its arrays are no prior.
    """
    name, arrays = bundle.type_arrays(machine_type)
    return TypePrior.from_arrays(name, arrays)
