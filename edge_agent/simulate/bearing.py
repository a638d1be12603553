"""Kinematics of a rolling-element bearing: at which multiples of the shaft speed its defects strike."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edge_agent.simulate.kinds import SimulationError


@dataclass(frozen=True)
class Bearing:
    """Geometry of a rolling-element bearing with a turning inner and a fixed outer race.

    The four defect frequencies, as multiples (orders) of the shaft speed, for `n` elements of diameter `d` on pitch
    diameter `D` at contact angle `a`, without slip (R. B. Randall and J. Antoni, "Rolling element bearing
    diagnostics - a tutorial", Mechanical Systems and Signal Processing 25, 2011)::

        BPFO = n/2 (1 - d/D cos a)      outer race        FTF = 1/2 (1 - d/D cos a)              cage
        BPFI = n/2 (1 + d/D cos a)      inner race        BSF = D/2d (1 - (d/D cos a)^2)         one element's spin

    Attributes:
        elements: Number of rolling elements.
        diameter_ratio: Element diameter over pitch diameter, between 0 and 1.
        contact_angle_rad: Contact angle in radians; 0 for a deep-groove bearing.

    Example:
        The SKF 6205-2RS of the Case Western Reserve test rig, whose published orders are 3.5848 (outer race),
        5.4152 (inner race) and 0.39828 (cage):

        >>> bearing = Bearing(elements=9, diameter_ratio=0.3126 / 1.537, contact_angle_rad=0.0)
        >>> round(bearing.outer_race_order, 3), round(bearing.inner_race_order, 3), round(bearing.cage_order, 4)
        (3.585, 5.415, 0.3983)
    """

    elements: int
    diameter_ratio: float
    contact_angle_rad: float

    def __post_init__(self) -> None:
        """Refuse geometry that no bearing has."""
        if self.elements < 3 or not 0.0 < self.diameter_ratio < 1.0 or not 0.0 <= self.contact_angle_rad < math.pi / 2:
            msg = f"no bearing is {self}; give 3 or more elements, a ratio in (0, 1), an angle in [0, pi/2)"
            raise SimulationError(msg)

    @property
    def _projected_ratio(self) -> float:
        return self.diameter_ratio * math.cos(self.contact_angle_rad)

    @property
    def outer_race_order(self) -> float:
        """BPFO in multiples of the shaft speed."""
        return self.elements / 2 * (1 - self._projected_ratio)

    @property
    def inner_race_order(self) -> float:
        """BPFI in multiples of the shaft speed."""
        return self.elements / 2 * (1 + self._projected_ratio)

    @property
    def element_spin_order(self) -> float:
        """BSF in multiples of the shaft speed; a defect on an element strikes a race at twice this."""
        return (1 - self._projected_ratio**2) / (2 * self.diameter_ratio)

    @property
    def cage_order(self) -> float:
        """FTF in multiples of the shaft speed."""
        return (1 - self._projected_ratio) / 2
