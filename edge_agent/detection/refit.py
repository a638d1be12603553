"""Fitting a profile anew for another bundle, on the sound that it was fitted on before."""

from collections.abc import Sequence
from dataclasses import replace

from edge_agent.detection.addition import stated
from edge_agent.detection.amid import Hear
from edge_agent.detection.commission import commission
from edge_agent.detection.errors import DetectionError
from edge_agent.detection.features import Recording
from edge_agent.detection.normals import Normals, Source
from edge_agent.detection.prior import TypePrior
from edge_agent.detection.profile import Profile
from edge_agent.detection.scorer import MachineScorer
from edge_agent.inference.manifest import BundleRef


def refit(  # noqa: PLR0917  # as `commission`, from one bundle to another
    profile: Profile,
    kept: Sequence[Normals],
    former_prior: TypePrior,
    prior: TypePrior,
    bundle: BundleRef,
    source: Source,
    hear: Hear,
    *,
    created_ns: int,
) -> tuple[Profile, tuple[Normals, ...]]:
    """Fit a profile for another bundle. Nothing is written.

    The kept log-mels are heard by the new encoder; what people accepted as normal stays so: no recording is left out
    for sounding odd. Operating states keep their names.

    Args:
        profile: The profile in use.
        kept: The normals that it was fitted on.
        former_prior: The prior that it was made with.
        prior: What the new bundle knows of the machine's type.
        bundle: The new bundle.
        source: What features of the new bundle depend on.
        hear: Makes features of log-mel frames with the new bundle's encoder.
        created_ns: Wall time now, nanoseconds since 1970.

    Returns:
        The new profile, and its normals with the new encoder's features, file by file.

    Raises:
        DetectionError: None were kept, they are of other signal settings, or they cannot teach what is normal.
    """
    if not kept:
        raise DetectionError(
            f"machine {profile.machine_id!r} was commissioned without keeping its normals: no other bundle can be "
            "fitted to it; commission it again"
        )
    scorer = MachineScorer(profile, former_prior)
    heard = []
    for normals in kept:
        if normals.source.signal_hash != source.signal_hash:
            raise DetectionError(f"machine {profile.machine_id!r}: its normals are of other signal settings")
        same = normals.source == source
        recordings = tuple(
            each if same else _heard(each, hear)
            for each in (_named(recording, profile, scorer) for recording in normals.recordings)
        )
        heard.append(Normals.of(source, recordings))
    fitted = commission(
        profile.machine_id,
        profile.machine_type,
        [replace(recording, trusted=True) for normals in heard for recording in normals.recordings],
        prior,
        bundle,
        profile.budget,
        created_ns=created_ns,
        max_states=len(profile.states),
        hear=hear,
    )
    return fitted, tuple(heard)


def _named(recording: Recording, profile: Profile, scorer: MachineScorer) -> Recording:
    """States that were found and not named keep the names that they were given then."""
    return stated(recording, scorer) if len(profile.states) > 1 else recording


def _heard(recording: Recording, hear: Hear) -> Recording:
    return replace(recording, windows=tuple(hear(window.log_mel_db) for window in recording.windows))
