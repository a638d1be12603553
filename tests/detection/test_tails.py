import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from edge_agent.detection.tails import normal_log10_sf, student_log10_sf, student_quantile


@pytest.mark.parametrize("dof", [1.0, 2.5, 9.0, 30.0, 400.0])
@pytest.mark.parametrize("t", [-30.0, -2.0, -1e-3, 0.0, 1e-6, 0.3, 1.0, 4.0, 60.0, 1e5])
def test_student_tail_is_scipys(t: float, dof: float) -> None:
    if not math.isfinite(stats.t.logsf(t, dof)):
        pytest.skip("scipy underflows here")
    assert student_log10_sf(t, dof) == pytest.approx(stats.t.logsf(t, dof) / math.log(10), rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("z", [-6.0, 0.0, 3.0, 29.9, 30.1, 200.0])
def test_normal_tail_is_scipys(z: float) -> None:
    assert normal_log10_sf(z) == pytest.approx(stats.norm.logsf(z) / math.log(10), rel=1e-8, abs=1e-12)


@given(t=st.floats(-1e30, 1e30), dof=st.floats(0.5, 1e4))
def test_student_tail_is_finite_and_never_above_one(t: float, dof: float) -> None:
    value = student_log10_sf(t, dof)
    assert math.isfinite(value) and value <= 0.0


def test_far_out_scores_never_tie() -> None:
    values = [student_log10_sf(10.0**k, 13.0) for k in range(1, 60)]
    assert all(later < earlier for earlier, later in pairwise(values))


@pytest.mark.parametrize("dof", [1.0, 7.0, 100.0])
@pytest.mark.parametrize("log10_p", [-20.0, -4.0, -1.0, -0.3, -0.01])
def test_quantile_inverts_the_tail(log10_p: float, dof: float) -> None:
    assert student_log10_sf(student_quantile(log10_p, dof), dof) == pytest.approx(log10_p, rel=1e-6)
