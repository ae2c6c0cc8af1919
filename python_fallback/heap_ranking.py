"""The two ways a heap keeps its items in order: heapq where keys are numbers, a sorted list where they are anything."""

from __future__ import annotations

import bisect
import heapq
from collections.abc import Iterator
from typing import Any, Protocol


class Ranking(Protocol):
    """Handles in the order of their keys, and among equal keys of their sequence numbers."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[int]: ...
    def add(self, key: Any, sequence: int, handle: int) -> None: ...
    def append(self, key: Any, sequence: int, handle: int) -> None: ...
    def replace(self, key: Any, sequence: int, handle: int) -> None: ...
    def discard(self, sequence: int) -> None: ...
    def first(self) -> int: ...


class NumberRanking:
    """A heapq of (key, sequence, handle); what is discarded stays in it until it comes up."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, int]] = []
        self._current: dict[int, tuple[float, int, int]] = {}

    def __len__(self) -> int:
        return len(self._current)

    def __iter__(self) -> Iterator[int]:
        return iter([handle for _, _, handle in sorted(self._current.values())])

    def add(self, key: float, sequence: int, handle: int) -> None:
        entry = (key, sequence, handle)
        self._current[sequence] = entry
        heapq.heappush(self._heap, entry)

    append = add

    def replace(self, key: float, sequence: int, handle: int) -> None:
        self.add(key, sequence, handle)
        self._compact()

    def discard(self, sequence: int) -> None:
        del self._current[sequence]
        self._compact()

    def _compact(self) -> None:
        if len(self._heap) > 2 * len(self._current) + 64:
            self._heap = sorted(self._current.values())

    def first(self) -> int:
        while self._current.get(self._heap[0][1]) is not self._heap[0]:
            heapq.heappop(self._heap)
        return self._heap[0][2]

    def first_key(self) -> float:
        self.first()
        return self._heap[0][0]


class _Rank:
    """Orders keys by ``<`` alone, and keys of which neither is less by their sequence numbers."""

    __slots__ = ("handle", "key", "reverse", "sequence")

    def __init__(self, key: Any, sequence: int, handle: int, reverse: bool) -> None:
        self.key, self.sequence, self.handle, self.reverse = key, sequence, handle, reverse

    def __lt__(self, other: _Rank) -> bool:
        low, high = (other, self) if self.reverse else (self, other)
        if self.sequence > other.sequence:
            return bool(low.key < high.key)
        return not high.key < low.key


class ComparedRanking:
    """A list kept sorted by bisection. A comparison that raises leaves it as it was."""

    def __init__(self, reverse: bool) -> None:
        self._reverse = reverse
        self._ranks: list[_Rank] = []

    def __len__(self) -> int:
        return len(self._ranks)

    def __iter__(self) -> Iterator[int]:
        return iter([rank.handle for rank in self._ranks])

    def add(self, key: Any, sequence: int, handle: int) -> None:
        bisect.insort(self._ranks, _Rank(key, sequence, handle, self._reverse))

    def append(self, key: Any, sequence: int, handle: int) -> None:
        self._ranks.append(_Rank(key, sequence, handle, self._reverse))

    def replace(self, key: Any, sequence: int, handle: int) -> None:
        others = [rank for rank in self._ranks if rank.sequence != sequence]
        bisect.insort(others, _Rank(key, sequence, handle, self._reverse))
        self._ranks = others

    def discard(self, sequence: int) -> None:
        for at, rank in enumerate(self._ranks):
            if rank.sequence == sequence:
                del self._ranks[at]
                return

    def first(self) -> int:
        return self._ranks[0].handle
