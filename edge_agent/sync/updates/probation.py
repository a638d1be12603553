"""The first windows with a bundle that was just taken over. Pure."""

from dataclasses import dataclass
from typing import Literal

WINDOWS = 30
MAX_FAULTS = 3
MAX_FAULT_SHARE = 0.1


@dataclass(slots=True)
class Probation:
    """Counts windows until the bundle is trusted, or left.

    Attributes:
        windows, faults: Scored, and not scored for a fault of the model.
    """

    windows: int = 0
    faults: int = 0

    def window(self, *, fault: bool) -> Literal["confirmed", "failed"] | None:
        """One more window; says once what has become of it.

        >>> probation = Probation(windows=29)
        >>> probation.window(fault=False)
        'confirmed'
        """
        self.faults += fault
        self.windows += not fault
        total = self.windows + self.faults
        if self.faults > MAX_FAULTS and self.faults > MAX_FAULT_SHARE * total:
            return "failed"
        return "confirmed" if self.windows >= WINDOWS else None
