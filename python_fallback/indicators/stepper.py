"""A program carried out one bar at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from python_fallback.indicators.counts import COUNTS
from python_fallback.indicators.numbers import BY_NUMPY, NUMBERS
from python_fallback.indicators.ticks import RECURRENCES, WINDOWS
from python_fallback.shared.indicators import Program

__all__ = ["Stepper"]

# Of each node: the function of its inputs, None where it has a memory; how that one meets a missing value; the first of
# the inputs, the second, and all of them where there are more than two.
_Node = tuple[Callable[..., float] | None, int, int, int, tuple[int, ...]]
_SKIPS, _TAKES, _ANSWERS = range(3)


class Stepper:
    """The memories of a program's operators."""

    __slots__ = ("_by_numpy", "_memories", "_nodes", "program")

    def __init__(self, program: Program) -> None:
        self.program = program
        self._memories: list[Any] = []
        for name, _, params in program.nodes:
            make = WINDOWS.get(name) or RECURRENCES.get(name) or COUNTS.get(name)
            self._memories.append(make(*params) if make else None)
        self._prepare()

    def _prepare(self) -> None:
        self._nodes: list[_Node] = []
        for name, places, params in self.program.nodes:
            function = NUMBERS[name](*params) if name in NUMBERS else None
            first, second = (*places, -1, -1)[:2]
            meets = _TAKES if name in WINDOWS else _ANSWERS if name in COUNTS else _SKIPS
            self._nodes.append((function, meets, first, second, places if len(places) > 2 else ()))
        self._by_numpy = any(name in BY_NUMPY for name, _, _ in self.program.nodes)

    def step(self, bar: Sequence[float]) -> tuple[float, ...]:
        """Carry out the program at the next bar."""
        if self._by_numpy:
            with np.errstate(all="ignore"):
                return self._step(bar)
        return self._step(bar)

    def _step(self, bar: Sequence[float]) -> tuple[float, ...]:
        finite, nan = math.isfinite, math.nan
        values = list(bar) if all(map(finite, bar)) else [nan] * len(bar)
        take = values.append
        for (function, meets, first, second, more), memory in zip(self._nodes, self._memories):
            if more:
                inputs = [values[place] for place in more]
                if function is not None:
                    take(function(*inputs))
                    continue
                if all(map(finite, inputs)):
                    take(memory.push(*inputs))
                    continue
            elif second >= 0:
                x, y = values[first], values[second]
                if function is not None:
                    take(function(x, y))
                    continue
                if finite(x) and finite(y):
                    take(memory.push(x, y))
                    continue
            elif first >= 0:
                x = values[first]
                if function is not None:
                    take(function(x))
                    continue
                if finite(x):
                    take(memory.push(x))
                    continue
            elif function is not None:
                take(function())
                continue
            take(_missed(memory, meets, len(more) or 1 + (second >= 0)))
        outputs = tuple([values[place] for place in self.program.outputs])
        return (nan,) * len(outputs) if any(map(math.isnan, outputs)) else outputs

    def copy(self) -> Stepper:
        """Return an independent copy in the same state."""
        other = Stepper.__new__(Stepper)
        other.program, other._nodes, other._by_numpy = self.program, self._nodes, self._by_numpy
        other._memories = [memory and memory.copy() for memory in self._memories]
        return other

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        return None, {"_memories": self._memories, "program": self.program}

    def __setstate__(self, state: tuple[None, dict[str, Any]]) -> None:
        self._memories, self.program = state[1]["_memories"], state[1]["program"]
        self._prepare()


def _missed(memory: Any, meets: int, inputs: int) -> float:
    """Let a memory meet a missing value; return the result."""
    found: float = math.nan if meets == _SKIPS else memory.push(*[math.nan] * inputs)
    return found if meets == _ANSWERS else math.nan
