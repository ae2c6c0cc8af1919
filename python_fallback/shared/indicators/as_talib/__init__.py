"""Programs under the policy ``nan="talib"``: what a missing value does to a result, computed by ordinary operators."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from python_fallback.shared.indicators.as_talib.comparing import Comparing
from python_fallback.shared.indicators.as_talib.definitions import DEFINITIONS
from python_fallback.shared.indicators.as_talib.masks import MISSING, Spoiling
from python_fallback.shared.indicators.as_talib.reaches import SUMS_AGAIN, Reach, reach
from python_fallback.shared.indicators.definitions import definition, rolling
from python_fallback.shared.indicators.lookup import inputs_of, program_of
from python_fallback.shared.indicators.program import Program

__all__ = ["MISSING", "SUMS_AGAIN", "AsTalib", "Reach", "reach", "spoiling"]

_ZERO = "adx adxr cmo cmou dx minus_di nvi plus_di pvi smi tsi ultosc vhf vortex"
_OPTIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        **{name: {"blocks": True} for name in ("max", "midpoint", "midprice", "min", "minmax", "willr")},
        **{name: {"copies": True} for name in ("dema", "efi", "ema", "eri", "t3", "tema", "zlema")},
        **{name: {"zero": True, "running": name not in SUMS_AGAIN} for name in _ZERO.split()},
        "cci": {"running": False},
        "imi": {"running": False},
    }
)

# In these nothing is compared that a missing value gets into; a percentile is by the operators alone, see the docs.
_SPOILING = frozenset({"percentile", *rolling.DEFINITIONS})


@dataclass(frozen=True)
class AsTalib:
    """An indicator under the policy; twins take it where they take the name of one.

    Parameters
    ----------
    source : str or Program
        The name of an indicator, or a program.
    """

    source: Any

    @property
    def inputs(self) -> int:
        """How many inputs it has."""
        return inputs_of(self.source)

    def program(self, params: tuple[float, ...]) -> Program:
        """Return its program with `params`: MISSING stands for a missing value, in inputs and outputs."""
        return _named(self.source, params) if isinstance(self.source, str) else spoiling(self.source)


@functools.lru_cache(maxsize=1024)
def spoiling(program: Program) -> Program:
    """Return the program in which a missing value spoils what is made of it, by the operators alone."""
    operators = Spoiling(program.inputs)
    values = operators.given()
    for name, places, params in program.nodes:
        values.append(operators.node(name, *(values[place] for place in places), params=params))
    return operators.coded([values[place] for place in program.outputs])


@functools.lru_cache(maxsize=1024)
def _named(name: str, params: tuple[float, ...]) -> Program:
    """Return the program of the function `name` in which a missing value does what it does in TA-Lib."""
    if name in _SPOILING:
        return spoiling(program_of(name, params))
    found = definition(name)
    operators = Comparing(found.inputs, **_OPTIONS.get(name, {}))
    numbers = [int(value) if value == int(value) else value for value in map(float, params)]
    outputs = DEFINITIONS.get(name, found.calculate)(operators, *operators.given(), *numbers)
    return operators.coded(outputs if isinstance(outputs, tuple) else (outputs,))
