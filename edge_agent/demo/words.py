"""How the demo writes figures, on the table and on plain lines alike."""

from collections.abc import Sequence

from edge_agent.delivery.result import BandContribution, DetectorResult, Identity
from edge_agent.demo.plant import RATE_HZ
from edge_agent.demo.reading import Reading


def clock(seconds: float) -> str:
    """Minutes and seconds.

    >>> clock(150.0)
    '2:30'
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def frequency(hz: float) -> str:
    """A frequency as one says it.

    >>> frequency(3150.0), frequency(250.0)
    ('3.15 kHz', '250 Hz')
    """
    return f"{hz / 1000:g} kHz" if hz >= 1000 else f"{hz:.0f} Hz"


def bands(found: Sequence[BandContribution]) -> str:
    """The bands that speak for a fault."""
    return ", ".join(frequency(band.centre_hz) for band in found)


def detectors(found: Sequence[DetectorResult]) -> str:
    """Each detector's part of the score, the largest first."""
    ordered = sorted(found, key=lambda detector: detector.share, reverse=True)
    return ", ".join(f"{detector.name} {detector.share:.0%}" for detector in ordered if detector.share > 0)


def identity(found: Identity | None) -> str:
    """What a window sounds like."""
    return "-" if found is None else f"{found.label} {found.confidence:.0%}"


def level(level_dbfs: float | None) -> str:
    """A level."""
    return "silent" if level_dbfs is None else f"{level_dbfs:.1f} dBFS"


def events(reading: Reading, received: int) -> str:
    """What became of the events."""
    waiting = f", {reading.waiting} wait in the outbox" if reading.waiting else ""
    return f"{reading.published} published, {received} received{waiting}"


def ledger(reading: Reading) -> str:
    """Where every sample went, in seconds of sound; exact in samples."""
    parts = (reading.captured, reading.scored, reading.skipped, reading.lost, reading.pending)
    captured, scored, skipped, lost, pending = (f"{samples / RATE_HZ:.1f}" for samples in parts)
    sign = "=" if reading.balances else "!="
    return f"{captured} s {sign} {scored} scored + {skipped} skipped + {lost} lost + {pending} pending"
