"""A timer wheel: one timer for the deadlines of all clients, to within a beat."""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["TimerWheel"]

T = TypeVar("T")


class TimerWheel(Generic[T]):
    """Items by the beat at which they are due; the caller passes the time.

    To add one is to append to a list. There is no removing: the caller ignores what is due and not wanted any
    more.

    Parameters
    ----------
    now : float
        Seconds that only grow.
    beat : float, default 1
        Seconds between two turns.
    """

    __slots__ = ("_beat", "_due", "_now")

    def __init__(self, now: float, beat: float = 1.0) -> None:
        self._beat = beat
        self._due: dict[int, list[T]] = {}
        self._now = int(now / beat)

    def add(self, when: float, item: T) -> None:
        """Schedule `item` for `when`, to within a beat after it."""
        number = max(int(when / self._beat) + 1, self._now + 1)
        found = self._due.get(number)
        if found is None:
            self._due[number] = [item]
        else:
            found.append(item)

    def turn(self, now: float) -> list[T]:
        """Return what is due, in order; a clock that stood still or jumped is handled."""
        last = int(now / self._beat)
        due: list[T] = []
        if last - self._now > len(self._due):  # after a long sleep, look at what there is instead of every beat
            for number in sorted(number for number in self._due if number <= last):
                due += self._due.pop(number)
        else:
            for number in range(self._now + 1, last + 1):
                due += self._due.pop(number, ())
        self._now = max(self._now, last)
        return due

    def clear(self) -> None:
        """Remove everything."""
        self._due.clear()

    def __len__(self) -> int:
        return sum(map(len, self._due.values()))
