"""Every definition by its public name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from python_fallback.indicators import momentum, overlap, statistic, volatility, volume

# Called with operators, then the inputs and the parameters in the order of the registry; returns a tuple of outputs.
Definition = Callable[..., tuple[Any, ...]]

DEFINITIONS: dict[str, Definition] = {
    "sma": overlap.sma,
    "ema": overlap.ema,
    "bbands": overlap.bbands,
    "rsi": momentum.rsi,
    "macd": momentum.macd,
    "stoch": momentum.stoch,
    "atr": volatility.atr,
    "obv": volume.obv,
    "vwap": volume.vwap,
    "stddev": statistic.stddev,
    "min": statistic.minimum,
    "max": statistic.maximum,
}


def definition(name: str) -> Definition:
    """Return the definition called `name`.

    Raises
    ------
    ValueError
        If there is none.
    """
    found = DEFINITIONS.get(name)
    if found is None:
        raise ValueError(f"name: expected one of {', '.join(DEFINITIONS)}, got {name!r}")
    return found
