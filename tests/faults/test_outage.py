"""The short form of `python -m benchmarks.soak.outage`: the broker is away for two hours and a half."""

from pathlib import Path

from benchmarks.soak.outage import run
from tests.support.broker import needs_mosquitto


@needs_mosquitto
def test_what_waited_is_drained_in_order_and_keeps_nothing_new_waiting(tmp_path: Path) -> None:
    outcome = run(tmp_path, days=0.1)
    assert outcome.results == 864
    assert (outcome.lost, outcome.out_of_order) == (0, 0)
    assert outcome.live > 0
    assert outcome.stored_bytes < outcome.wire_bytes / 2 + 4 * 1024 * 1024  # the journal beside the file
