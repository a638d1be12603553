"""Is this sound fit to learn from? What commissioning refuses, and what it leaves out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection import statistics
from edge_agent.detection.errors import CommissioningError
from edge_agent.detection.features import Recording, WindowFeatures
from edge_agent.detection.held_out import HeldOut
from edge_agent.detection.input_health import dead_input
from edge_agent.detection.prior import TypePrior

FloatArray = NDArray[np.float64]

MIN_FRAMES = 60
LEVEL_OUTLIER_DB = 15.0
OUTLIER_SPREADS = 8.0
_MIN_FOR_OUTLIERS = 5
_MAX_TRIM_SHARE = 0.1
_MIN_DISTANCE_DB = 5.0
_MIN_GAP_RATIO = 2.0
_SMALLEST_GROUP = 3
_NAMED = 4


@dataclass(frozen=True, slots=True)
class Outlier:
    """A recording to leave out: its place in the list, and why."""

    recording: int
    reason: str


def trim_allowance(recordings: int) -> int:
    """How many recordings may be left out: a tenth, at least one of five or more.

    >>> [trim_allowance(n) for n in (4, 5, 19, 20, 60)]
    [0, 1, 1, 2, 6]
    """
    return max(1, int(recordings * _MAX_TRIM_SHARE)) if recordings >= _MIN_FOR_OUTLIERS else 0


def silent_recordings(recordings: Sequence[Recording]) -> list[Outlier]:
    """Recordings that hold a dead window, or hardly any sound at all."""
    found = []
    for index, recording in enumerate(recordings):
        for window, level in zip(recording.windows, recording.levels, strict=True):
            dead = dead_input(window, level)
            if dead is not None:
                found.append(Outlier(index, dead.message))
                break
        else:
            frames = max(window.frames for window in recording.windows)
            if frames < MIN_FRAMES:
                found.append(Outlier(index, f"only {frames * 0.032:.1f} s of sound, less than 2 s"))
    return found


def level_outliers(recordings: Sequence[Recording]) -> list[Outlier]:
    """Recordings much louder or quieter than the others."""
    if len(recordings) < _MIN_FOR_OUTLIERS:
        return []
    levels = np.array([np.median([w.log_mel_db.mean(dtype=np.float64) for w in r.windows]) for r in recordings])
    excess = levels - np.median(levels)
    return [
        Outlier(int(i), f"{abs(excess[i]):.0f} dB {'louder' if excess[i] > 0 else 'quieter'} than the others")
        for i in np.flatnonzero(np.abs(excess) > LEVEL_OUTLIER_DB)
    ]


def score_outliers(held: HeldOut, owners: NDArray[np.int64], prior: TypePrior) -> list[Outlier]:
    """Recordings that some detector finds far odder than all others when they are held out.

    Args:
        held: Held-out scores of the windows.
        owners: `[n]`, the recording that each window is from, by its place in the list.
        prior: How far each detector's scores spread on machines of the type.
    """
    numbers = np.unique(owners)
    if len(numbers) < _MIN_FOR_OUTLIERS:
        return []
    found: dict[int, float] = {}
    for name, values in held.log_scores.items():
        known = np.isfinite(values)
        sums = np.array([values[known & (owners == number)].mean() for number in np.unique(owners[known])])
        middle = np.median(sums)
        spread = max(1.4826 * float(np.median(np.abs(sums - middle))), prior.of(name).spread)
        for number, z in zip(np.unique(owners[known]), (sums - middle) / spread, strict=True):
            if z > OUTLIER_SPREADS:
                found[int(number)] = max(found.get(int(number), 0.0), float(z))
    return [Outlier(number, f"differs from the others by {z:.0f} spreads") for number, z in sorted(found.items())]


def check_allowance(outliers: Sequence[Outlier], names: Sequence[str], total: int) -> None:
    """Refuse if more recordings differ than may be left out.

    Raises:
        CommissioningError: Too many; names the first few, and says what to do.
    """
    if len(outliers) <= trim_allowance(total):
        return
    places = sorted(outlier.recording for outlier in outliers)
    listed = ", ".join(names[i] for i in places[:_NAMED]) + (", ..." if len(places) > _NAMED else "")
    reason = next(outlier.reason for outlier in outliers if outlier.recording == places[0])
    if places == list(range(len(places))) and total > len(places):
        raise CommissioningError(
            f"the first {len(places)} of {total} recordings ({listed}) differ from the later ones ({reason}): a "
            "start-up; let the machine run warm and record again"
        )
    raise CommissioningError(
        f"{len(places)} of {total} recordings ({listed}) cannot be learnt from ({reason}); "
        f"at most {trim_allowance(total)} may be left out: record again, one machine in normal work"
    )


def operating_states(windows: Sequence[WindowFeatures], names: Sequence[str], max_states: int) -> NDArray[np.int64]:
    """Number of the operating state of each window, `[n]`.

    Splits the windows in two wherever two groups of spectra stand apart with nothing between them, until none does.

    Args:
        windows: Normal windows.
        names: The recording of each, for the message.
        max_states: How many states are expected.

    Raises:
        CommissioningError: There are more; the message names recordings of two of them.
    """
    spectra = np.array([statistics.shape(window.log_mel_db) for window in windows])
    coarse = spectra.reshape(len(spectra), statistics.COARSE_BANDS, -1).mean(axis=2)
    states = np.zeros(len(windows), np.int64)
    pending = [0]
    while pending:
        state = pending.pop()
        members = np.flatnonzero(states == state)
        second = _second_group(coarse[members])
        if second is None:
            continue
        if states.max() + 1 >= max_states:
            first_name, second_name = names[members[~second][0]], names[members[second][0]]
            raise CommissioningError(
                f"the recordings fall into more than {max_states} group{'s' if max_states > 1 else ''} "
                f"({(~second).sum()} windows like {first_name}, {second.sum()} like {second_name}): two machines, "
                "or one in several operating states; leave one out, or say how many states there are"
            )
        new = int(states.max()) + 1
        states[members[second]] = new
        pending += [state, new]
    return states


def _second_group(values: FloatArray) -> NDArray[np.bool_] | None:
    """Mask of the smaller of two groups that stand clearly apart; None where there is but one group.

    Apart means: the centres are far from each other, and the gap between the groups is at least twice the widest gap
    within either (single linkage). On recordings of one machine in one state the gaps are alike.
    """
    smallest = max(_SMALLEST_GROUP, -(-len(values) * 15 // 100))
    if len(values) < 2 * smallest:
        return None
    second = _two_means(values)
    if min(second.sum(), (~second).sum()) < smallest:
        return None
    distance = np.linalg.norm(values[second].mean(axis=0) - values[~second].mean(axis=0)) / np.sqrt(values.shape[1])
    if distance < _MIN_DISTANCE_DB:
        return None
    between = np.linalg.norm(values[:, None, :] - values[None, :, :], axis=2)
    gap = between[np.ix_(second, ~second)].min()
    np.fill_diagonal(between, np.inf)
    widest = max(between[np.ix_(side, side)].min(axis=1).max() for side in (second, ~second))
    if gap < _MIN_GAP_RATIO * widest:
        return None
    return second if second.sum() <= (~second).sum() else ~second


def _two_means(values: FloatArray) -> NDArray[np.bool_]:
    """Two-means clustering from the two ends of the principal axis; deterministic."""
    centred = values - values.mean(axis=0)
    axis = np.linalg.svd(centred, full_matrices=False)[2][0]
    second: NDArray[np.bool_] = centred @ axis > 0
    for _ in range(50):
        if not second.any() or second.all():
            return second
        to_first = ((values - values[~second].mean(axis=0)) ** 2).sum(axis=1)
        to_second = ((values - values[second].mean(axis=0)) ** 2).sum(axis=1)
        moved = to_second < to_first
        if np.array_equal(moved, second):
            break
        second = moved
    return second
