"""A day in equal parts, with one random window of each: quotas that cover the day evenly."""

from dataclasses import dataclass

NS_PER_DAY = 86_400 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Slot:
    """One part of a day of UTC: number `index` of `parts`, day `day` since 1970.

    >>> slot = Slot.at(1_700_000_000 * 1_000_000_000, parts=6)
    >>> slot.name, slot.stop_ns - slot.start_ns == NS_PER_DAY // 6
    ('19675.5/6', True)
    """

    day: int
    index: int
    parts: int

    @classmethod
    def at(cls, time_ns: int, *, parts: int) -> "Slot":
        """The slot that a wall time falls into."""
        day, within_ns = divmod(time_ns, NS_PER_DAY)
        return cls(day, within_ns * parts // NS_PER_DAY, parts)

    @property
    def name(self) -> str:
        """As sidecars name it."""
        return f"{self.day}.{self.index}/{self.parts}"

    @property
    def start_ns(self) -> int:
        """Wall time of its begin."""
        return self.day * NS_PER_DAY - (-self.index * NS_PER_DAY // self.parts)

    @property
    def stop_ns(self) -> int:
        """Wall time of its end."""
        return self.day * NS_PER_DAY - (-(self.index + 1) * NS_PER_DAY // self.parts)


class SlotDraw:
    """Reservoir sampling of one window per slot (J. S. Vitter, "Random Sampling with a Reservoir", 1985, size 1).

    The n-th window of a slot takes the place of the one chosen before with probability 1/n: at any moment each window
    seen so far is as likely to be the chosen one, however many there will be, and some ln(n) are written.

    Args:
        parts: Slots a day; 0 chooses nothing.
    """

    def __init__(self, parts: int) -> None:
        self._parts = parts
        self._slot: Slot | None = None
        self._seen = 0

    def resume(self, slot_name: str, time_ns: int, hop_s: float) -> None:
        """Go on in a slot one window of which was chosen in a former life; those seen then are told by the time."""
        if self._parts and (slot := Slot.at(time_ns, parts=self._parts)).name == slot_name:
            self._slot = slot
            self._seen = max(1, int((time_ns - slot.start_ns) / (hop_s * 1e9)))

    def choose(self, time_ns: int, draw: float) -> Slot | None:
        """The slot in which this window takes the place; None where the one before keeps it.

        Args:
            time_ns: The window's wall time.
            draw: A random number in `[0, 1)`.
        """
        if not self._parts:
            return None
        slot = Slot.at(time_ns, parts=self._parts)
        if slot != self._slot:
            self._slot, self._seen = slot, 0
        self._seen += 1
        return slot if draw * self._seen < 1.0 else None
