"""The one table of indicators, by group.

From a row come the public function, the definition class, the named tuple of its outputs, the stub, the docs page and
the row's place in every test that walks the table. The arithmetic of each is its definition, in
``python_fallback/shared/indicators/definitions``; lookback and policy towards missing data follow from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from fastcore.indicators.registry import (
    cycle,
    momentum,
    operators,
    oscillators,
    overlap,
    price,
    rolling,
    statistic,
    transform,
    volatility,
    volume,
)
from fastcore.indicators.registry.schema import INPUTS, MATYPES, MISSING_DATA, Indicator, Output, Param, column

__all__ = ["INDICATORS", "INPUTS", "MATYPES", "MISSING_DATA", "Indicator", "Output", "Param", "column"]

_GROUPS = (overlap, oscillators, momentum, volume, volatility, price, statistic, rolling, cycle, operators, transform)

INDICATORS: Mapping[str, Indicator] = MappingProxyType({row.name: row for group in _GROUPS for row in group.ROWS})
