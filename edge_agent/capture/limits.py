"""What a source may be at most."""

from typing import Final

from edge_agent.signal.settings import MAX_RATE_HZ, MIN_RATE_HZ

__all__ = ["MAX_CHANNELS", "MAX_PEAK", "MAX_RATE_HZ", "MIN_RATE_HZ"]

MAX_CHANNELS: Final = 64
"""Most channels of one source; larger arrays are several sources."""

MAX_PEAK: Final = 100.0
"""Largest magnitude of a sample; full scale is 1.0, so this is 40 dB above it."""
