"""What a clip is worth: which one goes first when room is needed."""

from edge_agent.clips.reasons import Reason

HALF_LIFE_S = 30 * 86_400.0
"""Time in which a clip loses half of its worth."""

_LOG2_WEIGHT = {Reason.REQUEST: 4.0, Reason.ALARM: 4.0, Reason.UNCERTAIN: 2.0, Reason.NOVEL: 2.0, Reason.RANDOM: 0.0}
_LABELLED = 3.0
_SYNCED = -2.0


def rank(reason: Reason, *, start_ns: int, labelled: bool, synced: bool) -> float:
    """Base-2 logarithm of a clip's worth, up to a constant that all share: the lowest goes first.

    `worth = weight(reason) * 0.5 ** (age / 30 days)`, times 8 if an operator labelled it, a quarter if the hub has a
    copy. All lose worth at the same pace, so that their order never changes by itself and can be kept in an index.
    The weights are 16 (alarm, request), 4 (uncertain, novel), 1 (random): a random clip of today is worth a novel one
    of 60 days ago.

    >>> new, old = (rank(Reason.RANDOM, start_ns=n, labelled=False, synced=False) for n in (10**18, 9 * 10**17))
    >>> new > old
    True
    """
    age_term = start_ns / 1e9 / HALF_LIFE_S
    return _LOG2_WEIGHT[reason] + age_term + _LABELLED * labelled + _SYNCED * synced


def is_protected(reason: Reason, *, pinned: bool, synced: bool) -> bool:
    """Whether a clip is never given up for room: one that is pinned, and one of an alarm that the hub has not got."""
    return pinned or (reason is Reason.ALARM and not synced)
