"""Writes, changes and deletes clips until it is killed; says on standard output what it was promised."""

import sys
from pathlib import Path

from edge_agent.clips.books import StoreLimits
from edge_agent.clips.reasons import Reason
from edge_agent.clips.store import ClipStore
from edge_agent.delivery.fields import rfc3339
from edge_agent.delivery.ulid import UlidFactory
from tests.clips.samples import NS_PER_S, START_NS, sidecar

CLIPS = 12
CLIP_BYTES = 30_000


def main() -> None:
    """Arguments: the directory, a number that makes this run's ids its own."""
    root, run = Path(sys.argv[1]), int(sys.argv[2])
    store = ClipStore(root, StoreLimits(max_bytes=CLIPS * (CLIP_BYTES + 4096), min_free_bytes=0))
    store.tidy()
    now_ns = START_NS + run * NS_PER_S
    make = UlidFactory(now_ms=lambda: now_ns // 1_000_000, randomness=bytes)
    print("ready", flush=True)
    for number in range(1_000_000):
        clip_id = make()
        reason = Reason.ALARM if number == 0 and run < 5 else Reason.RANDOM
        made = store.put(
            sidecar(clip_id, reason, start_ns=now_ns + number, slot="19675.2/6" if number % 3 else None),
            number.to_bytes(4, "big") * (CLIP_BYTES // 4),
            b"png" * 100,
        )
        print("alarm" if reason is Reason.ALARM else "kept", made.id, flush=True)
        if number % 4 == 0:
            store.change(clip_id, lambda clip: clip.model_copy(update={"synced_at": rfc3339(now_ns)}))
            if reason is Reason.RANDOM and number % 8 == 0:
                store.delete(clip_id)


if __name__ == "__main__":
    main()
