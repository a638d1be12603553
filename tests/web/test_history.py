"""The last hours of one machine."""

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.web.history import STATES, History, Mark

VALUES = st.none() | st.floats(-100, 100, width=32)


@given(st.integers(1, 20), st.lists(st.tuples(VALUES, VALUES, VALUES, st.sampled_from(STATES)), max_size=60))
def test_it_holds_the_newest_in_order(
    capacity: int, marks: list[tuple[float | None, float | None, float | None, str]]
) -> None:
    history = History(capacity)
    for at_s, (score, threshold, level_dbfs, state) in enumerate(marks, start=1):
        history.add(Mark(float(at_s), score, threshold, level_dbfs, state))
    columns = history.columns(since_s=0.0)
    kept = marks[-capacity:]
    assert columns["at_s"] == [float(at) for at in range(len(marks) - len(kept) + 1, len(marks) + 1)]
    assert columns["state"] == [STATES.index(state) for *_, state in kept]
    assert columns["score"] == [None if score is None else round(score, 3) for score, *_ in kept]


def test_what_was_seen_already_is_left_out() -> None:
    history = History()
    for at_s in (1.0, 2.0, 3.0):
        history.add(Mark(at_s, 0.5, 2.0, -30.0, "normal"))
    assert history.columns(since_s=2.0)["at_s"] == [3.0]
