"""Sidecars and payloads that a test can vary."""

from collections.abc import Iterator

from edge_agent.clips.reasons import Reason
from edge_agent.clips.sidecar import BundleName, Judgement, Origin, Sidecar, Sound, SpeechNote
from edge_agent.delivery.fields import rfc3339
from edge_agent.delivery.ulid import UlidFactory

NS_PER_S = 1_000_000_000
START_NS = 1_700_000_000 * NS_PER_S
BUNDLE = BundleName(name="default", version="1.0.0", sha256="b" * 64)
ORIGIN = Origin(site="plant", gateway="gw", source="mic", channel=0, device="usb:1-1.2", rate_hz=48_000)


def ids(start_ns: int = START_NS) -> Iterator[str]:
    """Ids that grow."""
    make = UlidFactory(now_ms=lambda: start_ns // 1_000_000, randomness=bytes)
    while True:
        yield make()


def sidecar(clip_id: str, reason: Reason = Reason.RANDOM, *, start_ns: int = START_NS, **changes: object) -> Sidecar:
    """A sound sidecar, but for what is changed."""
    base = Sidecar(
        id=clip_id,
        sha256="0" * 64,
        size_bytes=1,
        machine="fan_1",
        machine_type="fan",
        reason=reason,
        window_start=rfc3339(start_ns),
        window_start_ns=start_ns,
        clock_synced=True,
        origin=ORIGIN,
        sound=Sound(
            kind="audio",
            start=rfc3339(start_ns),
            first_sample=0,
            samples=160_000,
            window_offset_s=0.0,
            window_s=10.0,
            coverage=1.0,
        ),
        judgement=Judgement(state="normal", score=0.5, threshold=3.0, percentile=50.0, bundle=BUNDLE),
        speech=SpeechNote(policy="off", verdict="unscreened"),
    )
    return base.model_copy(update=changes)
