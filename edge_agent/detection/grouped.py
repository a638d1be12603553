"""Sums of values that belong together."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def sums_by_group(values: NDArray[np.float64], group_of: NDArray[np.integer[Any]], groups: int) -> NDArray[np.float64]:
    """Sums of each row's values by group, added in their order.

    Args:
        values: `[n, k]`.
        group_of: `[k]`, the group of each value, from 0.
        groups: How many there are.

    Returns:
        `[n, groups]`.

    >>> sums_by_group(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), np.array([1, 0, 1]), 2).tolist()
    [[2.0, 4.0], [5.0, 10.0]]
    """
    count = len(values) * groups
    places = group_of + np.arange(0, count, groups)[:, None]
    sums = np.bincount(places.reshape(-1), weights=values.reshape(-1), minlength=count)
    return np.asarray(sums.reshape(len(values), groups), np.float64)
