"""The books of the sync: what went, what failed, what is known of the hub."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from edge_agent.sync.errors import Trouble


@dataclass(slots=True)
class SyncBooks:
    """Counted by the thread that syncs, read by any.

    Attributes:
        clips: Clips that the hub acknowledged.
        files: Files that were sent for them; the hub had the others.
        sent_bytes: Bytes of files and events.
        records: Records sent once more for their label.
        labels_taken: Labels that came down.
        events_there: Events that the hub had by the broker.
        events_sent: Events that the hub had not.
        events_refused: Events that the hub did not want.
        reports: Reports that the hub took.
        failures: Attempts that failed, by why.
        trouble: What is wrong with the hub now; None where it answers, or was not asked yet.
        said: The same in a sentence.
        last_success_s: Wall time of the last request that it answered; 0 before the first.
    """

    clips: int = 0
    files: int = 0
    sent_bytes: int = 0
    records: int = 0
    labels_taken: int = 0
    events_there: int = 0
    events_sent: int = 0
    events_refused: int = 0
    reports: int = 0
    failures: Counter[str] = field(default_factory=lambda: Counter({trouble.value: 0 for trouble in Trouble}))
    trouble: Trouble | None = None
    said: str = ""
    last_success_s: float = 0.0
