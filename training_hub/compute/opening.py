"""The way of spreading work that the settings ask for."""

from collections.abc import Iterator
from contextlib import contextmanager

from training_hub.compute.compute import Compute
from training_hub.compute.local import LocalCompute
from training_hub.config.compute import ComputeSection


@contextmanager
def open_compute(section: ComputeSection) -> Iterator[Compute]:
    """Threads, processes or a cluster, let go at the end of the block.

    Raises:
        ComputeError: The cluster does not answer.
    """
    if section.scheduler == "local":
        yield LocalCompute(section.local, section.workers)
        return
    from distributed.security import Security  # noqa: PLC0415  # loads in half a second

    from training_hub.compute.cluster import DaskCompute  # noqa: PLC0415

    security = None
    if section.tls_ca_file is not None:
        security = Security(
            tls_ca_file=str(section.tls_ca_file),
            tls_client_cert=str(section.tls_certificate_file),
            tls_client_key=str(section.tls_key_file),
            require_encryption=True,
        )
    with DaskCompute(section.scheduler, security) as compute:
        yield compute
