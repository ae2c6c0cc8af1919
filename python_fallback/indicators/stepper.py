"""A program carried out one bar at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from python_fallback.indicators.counts import COUNTS
from python_fallback.indicators.maps import MAPS
from python_fallback.indicators.ticks import RECURRENCES, WINDOWS
from python_fallback.shared.indicators import Program

__all__ = ["Stepper"]


class Stepper:
    """The memories of a program's operators."""

    __slots__ = ("_memories", "program")

    def __init__(self, program: Program) -> None:
        self.program = program
        self._memories: list[Any] = []
        for name, _, params in program.nodes:
            make = WINDOWS.get(name) or RECURRENCES.get(name) or COUNTS.get(name)
            self._memories.append(make(*params) if make else None)

    def step(self, bar: Sequence[float]) -> tuple[float, ...]:
        """Carry out the program at the next bar."""
        values = list(bar) if all(map(math.isfinite, bar)) else [math.nan] * len(bar)
        with np.errstate(all="ignore"):
            for (name, places, params), memory in zip(self.program.nodes, self._memories):
                inputs = [values[place] for place in places]
                if memory is None:
                    values.append(float(MAPS[name](*map(np.float64, inputs), *params)))
                elif all(map(math.isfinite, inputs)):
                    values.append(memory.push(*inputs))
                elif name in COUNTS:
                    values.append(memory.push(*[math.nan] * len(inputs)))
                else:
                    if name in WINDOWS:
                        memory.push(*[math.nan] * len(inputs))
                    values.append(math.nan)
        outputs = tuple(values[place] for place in self.program.outputs)
        return (math.nan,) * len(outputs) if any(map(math.isnan, outputs)) else outputs

    def copy(self) -> Stepper:
        """Return an independent copy in the same state."""
        other = Stepper.__new__(Stepper)
        other.program = self.program
        other._memories = [memory and memory.copy() for memory in self._memories]
        return other
