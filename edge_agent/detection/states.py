"""Operating states: the ways in which one machine normally sounds, named by a person or found."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection import statistics
from edge_agent.detection.calibration import PredictiveTail
from edge_agent.detection.errors import CommissioningError
from edge_agent.detection.features import Recording, WindowFeatures

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MAX_STATES = 16
MIN_STATE_WINDOWS = 3
ALIKE_SHARE = 0.2
FOUND_DISTANCE_DB = 0.8
FOUND_GAP_RATIO = 3.0
_REFUSED_DISTANCE_DB = 5.0
_REFUSED_GAP_RATIO = 2.0
_SMALLEST_SHARE_PERCENT = 15
_MOST_COMPARED = 1024
"""More windows than so many are compared by an even choice: the table of their distances grows with the square."""


@dataclass(frozen=True, slots=True)
class OperatingState:
    """One way in which the machine normally sounds.

    Attributes:
        name: As named by a person, or `state_1`, `state_2`, ... in order of appearance; None where there is but one
            state that nobody named.
        windows: How many windows it rests on.
        tail: Distribution of its own fused values; None where too few recordings show it, and all states share one.
    """

    name: str | None
    windows: int
    tail: PredictiveTail | None = None


@dataclass(frozen=True, slots=True, eq=False)
class States:
    """The states of a set of windows.

    Attributes:
        numbers: `[n]`, state of each window, from 0 in order of appearance.
        names: Name of each state; None for a single nameless one.
    """

    numbers: IntArray
    names: tuple[str | None, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Split:
    """Two groups of spectra that stand apart: the mask of the second, and how far."""

    second: NDArray[np.bool_]
    distance_db: float


def states_of(
    windows: Sequence[WindowFeatures], owners: IntArray, recordings: Sequence[Recording], max_states: int
) -> States:
    """The operating state of each window.

    Args:
        windows: Normal windows.
        owners: `[n]`, the recording of each, by its place in `recordings`.
        recordings: What they are from; where one names its state, all must.
        max_states: How many states to look for where none is named; 1 looks for none.

    Raises:
        CommissioningError: More states than expected, a state with too few windows, or some named and some not.
    """
    coarse = coarse_shapes(windows)
    given = {recordings[i].state for i in owners.tolist()}
    if given == {None}:
        numbers = _found(coarse, owners, recordings, max_states)
        count = int(numbers.max()) + 1
        return States(numbers, (None,) if count == 1 else tuple(f"state_{k + 1}" for k in range(count)))
    if None in given:
        nameless = next(recordings[i].name for i in owners.tolist() if recordings[i].state is None)
        raise CommissioningError(
            f"some recordings name their operating state, {nameless} does not; name the state of all, or of none"
        )
    return _named(coarse, owners, recordings)


def coarse_shapes(windows: Sequence[WindowFeatures]) -> FloatArray:
    """Level-removed mean spectra in 16 bands, `[n, 16]`, dB."""
    spectra = np.array([statistics.shape(window.log_mel_db) for window in windows])
    return np.asarray(spectra.reshape(len(spectra), statistics.COARSE_BANDS, -1).mean(axis=2))


def alike(spectra_db: FloatArray, numbers: IntArray, first: int, second: int) -> bool:
    """Whether two states sound too alike to be told apart: over a fifth of their windows are nearer to the other.

    Args:
        spectra_db: `[n, bands]` of all windows.
        numbers: `[n]`, their states.
        first: One state.
        second: The other.
    """
    pair = np.isin(numbers, (first, second))
    values, own = spectra_db[pair], numbers[pair]
    to_first, to_second = (((values - values[own == s].mean(axis=0)) ** 2).sum(axis=1) for s in (first, second))
    nearer = np.where(to_second < to_first, second, first)
    return bool((nearer != own).mean() > ALIKE_SHARE)


def _named(coarse: FloatArray, owners: IntArray, recordings: Sequence[Recording]) -> States:
    labels = [str(recordings[i].state) for i in owners.tolist()]
    names = tuple(dict.fromkeys(labels))
    if len(names) > MAX_STATES:
        raise CommissioningError(f"{len(names)} operating states are named; at most {MAX_STATES} are possible")
    numbers = np.array([names.index(label) for label in labels], np.int64)
    for number, name in enumerate(names):
        members = np.flatnonzero(numbers == number)
        if len(members) < MIN_STATE_WINDOWS:
            raise CommissioningError(
                f"state {name!r} has {len(members)} usable windows, it needs {MIN_STATE_WINDOWS} at least: record more "
                "of it, or give its recordings to the state that sounds most alike"
            )
        split = _second_group(coarse[members], _REFUSED_DISTANCE_DB, _REFUSED_GAP_RATIO)
        if split is not None:
            one, other = (recordings[int(owners[members[side][0]])].name for side in (~split.second, split.second))
            raise CommissioningError(
                f"state {name!r} falls into two groups ({(~split.second).sum()} windows like {one}, "
                f"{split.second.sum()} like {other}, {split.distance_db:.0f} dB apart): it is two states, or two "
                "machines; name both states, or leave one out"
            )
    return States(numbers, names)


def _found(coarse: FloatArray, owners: IntArray, recordings: Sequence[Recording], max_states: int) -> IntArray:
    """Split where groups stand apart most clearly, until there are `max_states` or nothing stands apart."""
    states = np.zeros(len(coarse), np.int64)
    while states.max() + 1 < min(max_states, MAX_STATES):
        splits = {
            state: split
            for state in range(int(states.max()) + 1)
            if (split := _second_group(coarse[states == state], FOUND_DISTANCE_DB, FOUND_GAP_RATIO)) is not None
        }
        if not splits:
            break
        widest = max(splits, key=lambda state: splits[state].distance_db)
        states[np.flatnonzero(states == widest)[splits[widest].second]] = states.max() + 1
    for state in range(int(states.max()) + 1):
        members = np.flatnonzero(states == state)
        left = _second_group(coarse[members], _REFUSED_DISTANCE_DB, _REFUSED_GAP_RATIO)
        if left is not None:
            one, other = (recordings[int(owners[members[side][0]])].name for side in (~left.second, left.second))
            raise CommissioningError(
                f"the recordings fall into more than {max_states} group{'s' if max_states > 1 else ''} "
                f"({(~left.second).sum()} windows like {one}, {left.second.sum()} like {other}, "
                f"{left.distance_db:.0f} dB apart): two machines, or one in several operating states, or changed "
                "between them; leave one out, name the states, or say how many there are"
            )
    order = list(dict.fromkeys(states.tolist()))
    return np.array([order.index(state) for state in states.tolist()], np.int64)


def session_groups(coarse: FloatArray) -> IntArray:
    """Groups in which the windows of one state come: sessions, speeds, days. `[n, 16]` to `[n]`, all 0 where none do.

    The criterion of found states, applied until nothing stands apart.
    """
    groups = np.zeros(len(coarse), np.int64)
    pending = [0]
    while pending:
        group = pending.pop()
        members = np.flatnonzero(groups == group)
        split = _second_group(coarse[members], FOUND_DISTANCE_DB, FOUND_GAP_RATIO)
        if split is not None:
            new = int(groups.max()) + 1
            groups[members[split.second]] = new
            pending += [group, new]
    return groups


def _second_group(values: FloatArray, distance_db: float, gap_ratio: float) -> _Split | None:
    """The smaller of two groups that stand apart; None where there is but one group.

    Apart means: the centres are far from each other, and the gap between the groups is several times the widest gap
    within either (single linkage). The gap within tells how densely a state was sampled, so that few recordings of
    one state are not taken for many. On random choices of 6 to 40 windows of 21 machines in one state, a ratio of 3
    split none of 6,000; of 14 simulated machines in two states, it missed one of 4,200 (`tests/detection/test_states`
    repeats a part of that).
    """
    smallest = max(MIN_STATE_WINDOWS, -(-len(values) * _SMALLEST_SHARE_PERCENT // 100))
    if len(values) < 2 * smallest:
        return None
    second = _two_means(values)
    if min(second.sum(), (~second).sum()) < smallest:
        return None
    distance = float(np.linalg.norm(values[second].mean(axis=0) - values[~second].mean(axis=0)))
    distance /= np.sqrt(values.shape[1])
    if distance < distance_db:
        return None
    looked = np.unique(np.linspace(0, len(values) - 1, min(len(values), _MOST_COMPARED)).astype(np.int64))
    some, side_of = values[looked], second[looked]
    between = np.linalg.norm(some[:, None, :] - some[None, :, :], axis=2)
    gap = between[np.ix_(side_of, ~side_of)].min()
    np.fill_diagonal(between, np.inf)
    widest = max(between[np.ix_(side, side)].min(axis=1).max() for side in (side_of, ~side_of))
    if gap < gap_ratio * widest:
        return None
    return _Split(second if second.sum() <= (~second).sum() else ~second, float(distance))


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
