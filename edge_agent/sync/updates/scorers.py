"""A bundle with a set of profiles, ready to score windows that exist as log-mel frames."""

from collections.abc import Collection

from edge_agent.agent.hearing.offline import OfflineAnalyser
from edge_agent.agent.profiles import ProfileStore
from edge_agent.detection.scorer import MachineScorer
from edge_agent.inference.bundle import Bundle
from edge_agent.pipeline.priors import type_prior
from edge_agent.pipeline.window import WindowShape
from edge_agent.sync.updates.recent import Model


def model_of(bundle: Bundle, store: ProfileStore, machines: Collection[str]) -> Model:
    """Scorers of those of the machines that are commissioned.

    Raises:
        DetectionError: A profile does not belong to the bundle.
        BundleError: The bundle has a flaw.
    """
    scorers = {}
    for machine_id in machines:
        profile = store.find(machine_id)
        if profile is not None:
            scorers[machine_id] = MachineScorer(profile, type_prior(bundle, profile.machine_type))
    return Model(OfflineAnalyser(bundle, WindowShape()).features, scorers)
