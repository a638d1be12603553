"""Adding accepted normals to a profile: what would change, before anything does."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from edge_agent.detection import vetting
from edge_agent.detection.amid import Hear
from edge_agent.detection.commission import commission
from edge_agent.detection.errors import CommissioningError
from edge_agent.detection.features import Recording
from edge_agent.detection.normals import Normals
from edge_agent.detection.prior import TypePrior
from edge_agent.detection.profile import Profile
from edge_agent.detection.scorer import MachineScorer
from edge_agent.inference.manifest import BundleRef

_FIRST_STATE = "state_1"


@dataclass(frozen=True, slots=True)
class AddedClip:
    """What one new recording is to the profile, as it is and as it would be.

    Attributes:
        name: The recording.
        windows: Its windows.
        above: How many of them are above the present threshold.
        score: Score of the oddest one, under the present profile.
        percentile: Of the machine's normal windows, how many are less odd than that, 0 to 100.
        above_after: How many would be above the new threshold.
        score_after: Score of the oddest one, under the new profile.
    """

    name: str
    windows: int
    above: int
    score: float
    percentile: float
    above_after: int
    score_after: float


@dataclass(frozen=True, slots=True, eq=False)
class Addition:
    """A profile with more normals, to be accepted by a person or not.

    Attributes:
        before: The profile in use.
        after: The one that would take its place; it names the normals kept so far.
        clips: The new recordings.
        left_out: Recordings that cannot be added, each with the reason.
        normals: The new recordings, to be kept if it is accepted.
    """

    before: Profile
    after: Profile
    clips: tuple[AddedClip, ...]
    left_out: tuple[str, ...]
    normals: Normals


def add_normals(
    profile: Profile,
    kept: Sequence[Normals],
    added: Normals,
    prior: TypePrior,
    bundle: BundleRef,
    *,
    created_ns: int,
    hear: Hear | None = None,
) -> Addition:
    """Fit a profile anew on its own normals and more. Nothing is written.

    A person vouches for the new recordings: none is left out for sounding odd, only silence and copies are.

    Args:
        profile: The profile in use.
        kept: The normals that it was fitted on.
        added: New ones.
        prior: What the bundle knows of the type; the one that the profile was made with.
        bundle: The bundle in use.
        created_ns: Wall time now, nanoseconds since 1970.
        hear: As for `commission`.

    Raises:
        CommissioningError: Nothing is new, or together they cannot teach what is normal.
        DetectionError: The profile or its normals are of another bundle.
    """
    scorer = MachineScorer(profile, prior)
    for one in kept:
        one.check_source(added.source)
    old = [recording for one in kept for recording in one.recordings]
    new, left_out = _fit_to_add(old, added.recordings)
    if any(recording.state for recording in (*old, *new)):
        old, new = ([stated(recording, scorer) for recording in part] for part in (old, new))
    after = commission(
        profile.machine_id,
        profile.machine_type,
        [replace(recording, trusted=True) for recording in (*old, *new)],
        prior,
        bundle,
        profile.budget,
        created_ns=created_ns,
        max_states=len(profile.states),
        hear=hear,
    )
    after = replace(after, normals=profile.normals)
    rescorer = MachineScorer(after, prior)
    clips = tuple(_clip(recording, scorer, rescorer) for recording in new)
    return Addition(profile, after, clips, left_out, Normals(added.source, tuple(new)))


def _fit_to_add(old: Sequence[Recording], new: Sequence[Recording]) -> tuple[list[Recording], tuple[str, ...]]:
    """New recordings that are neither silent nor copies, and why the others are left out."""
    odd = {outlier.recording: outlier.reason for outlier in vetting.silent_recordings(new)}
    copies = vetting.copies([*old, *new])
    odd |= {copy.recording - len(old): copy.reason for copy in copies if copy.recording >= len(old)}
    left_out = tuple(f"{new[i].name}: {reason}" for i, reason in sorted(odd.items()))
    if len(odd) == len(new):
        raise CommissioningError(f"nothing to add: {left_out[0]}")
    return [recording for i, recording in enumerate(new) if i not in odd], left_out


def stated(recording: Recording, scorer: MachineScorer) -> Recording:
    """A recording that names its state: as given, or the one that most of its windows are nearest to."""
    if recording.state is not None:
        return recording
    names = Counter(scorer.score(window).operating_state or _FIRST_STATE for window in recording.windows)
    return replace(recording, state=names.most_common(1)[0][0])


def _clip(recording: Recording, before: MachineScorer, after: MachineScorer) -> AddedClip:
    pairs = list(zip(recording.windows, recording.levels, strict=True))
    was = [before.score(window, level) for window, level in pairs]
    becomes = [after.score(window, level) for window, level in pairs]
    oddest = max(was, key=lambda verdict: verdict.score)
    return AddedClip(
        name=recording.name,
        windows=len(pairs),
        above=sum(verdict.score >= verdict.threshold for verdict in was),
        score=oddest.score,
        percentile=oddest.percentile,
        above_after=sum(verdict.score >= verdict.threshold for verdict in becomes),
        score_after=max(verdict.score for verdict in becomes),
    )
