from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.simulate import Bearing, SimulationError

BEARINGS = st.builds(
    Bearing, elements=st.integers(3, 40), diameter_ratio=st.floats(0.05, 0.6), contact_angle_rad=st.floats(0, 1.2)
)


@given(BEARINGS)
def test_every_element_passes_one_race_or_the_other_once_a_turn(bearing: Bearing) -> None:
    assert math.isclose(bearing.outer_race_order + bearing.inner_race_order, bearing.elements)
    assert math.isclose(bearing.cage_order * bearing.elements, bearing.outer_race_order)
    assert 0 < bearing.cage_order < 0.5


def test_published_orders_of_the_case_western_fan_end_bearing() -> None:
    # SKF 6203-2RS: 8 balls of 0.2656 in on 1.122 in; 3.0530, 4.9469 and 0.3817, element defect 3.9874 (twice the spin)
    bearing = Bearing(elements=8, diameter_ratio=0.2656 / 1.122, contact_angle_rad=0.0)
    assert bearing.outer_race_order == pytest.approx(3.0530, abs=2e-3)
    assert bearing.inner_race_order == pytest.approx(4.9469, abs=2e-3)
    assert bearing.cage_order == pytest.approx(0.3817, abs=2e-4)
    assert 2 * bearing.element_spin_order == pytest.approx(3.9874, abs=2e-3)


@pytest.mark.parametrize(
    ("elements", "ratio", "angle"), [(2, 0.2, 0.0), (9, 0.0, 0.0), (9, 1.0, 0.0), (9, 0.2, 1.6), (9, math.nan, 0.0)]
)
def test_impossible_geometry_is_refused(elements: int, ratio: float, angle: float) -> None:
    with pytest.raises(SimulationError, match="no bearing"):
        Bearing(elements, ratio, angle)
