"""What a bundle knows of a machine type's faults."""

from edge_agent.detection.errors import DetectionError
from edge_agent.detection.faults import FaultPrototypes
from edge_agent.inference.bundle import Bundle
from edge_agent.inference.errors import BundleError


def fault_prototypes(bundle: Bundle, machine_type: str) -> FaultPrototypes | None:
    """The faults of a machine type; None where nobody labelled any.

    Raises:
        BundleError: Its arrays are no fault prototypes, or another encoder's.
    """
    arrays = bundle.fault_arrays(machine_type)
    if arrays is None:
        return None
    try:
        found = FaultPrototypes.from_arrays(arrays)
    except DetectionError as error:
        raise BundleError(f"{bundle.root}: faults of {machine_type}: {error}") from error
    output = bundle.manifest.encoder.output("embedding")
    if output is None or output.size != len(found.origin):
        raise BundleError(f"{bundle.root}: faults of {machine_type} are another encoder's; retrain the faults")
    return found
