"""What a source may be at most."""

from typing import Final

MIN_RATE_HZ: Final = 8_000
"""Lowest native rate accepted; below it less than half of the mel bands carries sound."""

MAX_RATE_HZ: Final = 192_000
"""Highest native rate accepted; the fastest that audio interfaces offer."""

MAX_CHANNELS: Final = 32
"""Most channels of one source; larger arrays are several sources."""

MAX_PEAK: Final = 100.0
"""Largest magnitude of a sample; full scale is 1.0, so this is 40 dB above it."""
