"""Series in which values are missing, and what TA-Lib makes of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import talib

from fastcore.indicators.registry import Indicator
from tests.indicators.cases import walk


def gaps(row: Indicator, params: Sequence[Any], bars: int) -> Iterator[tuple[str, Any]]:
    """For each input, at which bars it is missing; the first bar is complete, or all before one are not."""
    inputs = len(row.inputs)
    spots = {
        "one": [300],
        "the second": [1],
        "within the first window": [2, 5],
        "the first result": [max(row.lookback(*params), 1)],
        "neighbours, and the last": [200, 201, 202, bars - 1],
    }
    for place in range(inputs):
        for what, at in spots.items():
            mask = np.zeros((inputs, bars), bool)
            mask[place, [bar for bar in at if bar < bars]] = True
            yield f"{what} of {row.inputs[place]}", mask
    random = np.random.default_rng(7)
    for share in (0.004, 0.05):
        mask = random.random((inputs, bars)) < share
        mask[:, 0] = False
        yield f"{share} of all", mask
    whole = np.zeros((inputs, bars), bool)
    whole[0, :7] = whole[:, min(250, bars - 9)] = True
    yield "leading, and a whole bar", whole


def columns_of(row: Indicator, bars: int) -> list[Any]:
    columns = walk(bars, seed=1)
    scale = 1e-3 if row.group == "Math Transform" else 1.0
    return [columns[name] * (1e-3 if name == "volume" else scale) for name in row.inputs]


# A symbol that is halted twice, without volume, prices that tie, and steps of five bars.
KINDS = ("halted", "tied", "steps")


def still_columns(row: Indicator, bars: int, kind: str) -> list[Any]:
    random = np.random.default_rng(3)
    if kind == "halted":
        columns = walk(bars, seed=1)
        for first, last in ((bars // 4, bars * 3 // 7), (bars * 5 // 7, bars * 6 // 7)):
            for name in ("open", "high", "low", "close"):
                columns[name][first:last] = columns["close"][first]
            columns["volume"][first:last] = 0.0
    elif kind == "steps":
        columns = dict.fromkeys(("open", "high", "low", "close"), np.repeat(random.integers(1, 4, bars), 5)[:bars])
        columns["volume"] = np.repeat(random.integers(0, 4, bars), 7)[:bars]
    else:
        columns = {name: random.integers(1, 4, bars) for name in ("open", "close", "volume")}
        ends = [columns["open"], columns["close"], random.integers(1, 4, bars)]
        columns["high"], columns["low"] = np.maximum.reduce(ends), np.minimum.reduce(ends)
    columns |= {"real": columns["close"], "real0": columns["close"], "real1": columns["high"]}
    columns["periods"] = random.integers(2, 30, bars)
    scale = 1e-3 if row.group == "Math Transform" else 1.0
    return [np.array(columns[name], dtype=float) * scale for name in row.inputs]


def outputs(result: Any) -> tuple[Any, ...]:
    return tuple(result) if isinstance(result, tuple) else (result,)


def from_talib(row: Indicator, inputs: list[Any], params: Sequence[Any]) -> tuple[Any, ...]:
    found = outputs(getattr(talib, row.definition)(*inputs, *params))
    complete = ~np.logical_or.reduce([np.isnan(x) for x in inputs])
    there = np.arange(len(complete)) >= complete.argmax() + row.lookback(*params)
    return tuple(np.where(there, x, np.nan) for x in found)


def typed(row: Indicator, params: Sequence[float]) -> tuple[Any, ...]:
    return tuple(float(value) if param.kind == "float" else int(value) for param, value in zip(row.params, params))
