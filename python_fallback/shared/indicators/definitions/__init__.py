"""Every definition by its public name; a module per group holds the definitions themselves."""

from __future__ import annotations

from python_fallback.shared.indicators.definitions import (
    cycle,
    momentum,
    operators,
    overlap,
    price,
    rolling,
    statistic,
    volatility,
    volume,
)
from python_fallback.shared.indicators.tracing import BUILT_IN, Named

__all__ = ["DEFINITIONS", "definition"]


DEFINITIONS: dict[str, Named] = {
    name: Named(inputs, calculate)
    for group in (operators, overlap, cycle, momentum, price, statistic, rolling, volatility, volume)
    for name, (inputs, calculate) in group.DEFINITIONS.items()
}
BUILT_IN.update(DEFINITIONS)


def definition(name: str) -> Named:
    """Return the definition called `name`.

    Raises
    ------
    ValueError
        If there is none.
    """
    found = DEFINITIONS.get(name) if isinstance(name, str) else None
    if found is None:
        raise ValueError(f"name: expected the name of an indicator, got {name!r}")
    return found
