"""Importing what lives as long as the process."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_SELDOM = 50_000
"""Objects made between two looks for garbage while importing, where Python has 700."""


@contextmanager
def lasting() -> Iterator[None]:
    """What is made within lives as long as the process.

    Python would look through all that was imported so far for garbage, time and again as it grows: up to a fifth of the
    start; and later, each time it looks through everything. Only in a process of our own, for it holds for all of it.
    """
    usual = gc.get_threshold()
    gc.set_threshold(_SELDOM, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.freeze()
