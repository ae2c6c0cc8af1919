"""Every function of TA-Lib that is here compared with TA-Lib, over series and parameters; prints where they differ.

    python tools/parity.py                  # both twins, all functions
    python tools/parity.py --twin compiled rsi sar
    python tools/parity.py --forms          # live against whole series, boards against live; what a spike leaves
    python tools/parity.py --gaps           # nan="talib" against TA-Lib, on series with missing values

A result differs where it is off by more than 1e-9 of itself, and by more than 1e-12 of the largest result and input:
the difference of two prices has no more digits than they have. A line names the function with its parameters, the
series, how many bars differ, and the first of them. ``docs/indicators.md`` says which differences are wanted, and why.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import talib

from fastcore import flags
from fastcore import indicators as ta
from fastcore.indicators.registry import INDICATORS, MATYPES, Indicator, column
from tests.indicators.cases import real_prices, walk
from tests.indicators.gaps import columns_of, from_talib, gaps

Bars = dict[str, Any]
PERIODS = (1, 2, 3, 5, 14, 30, 100, 250)
NUMBERS = (0.0, 0.02, 0.5, 1.0, 2.5)
SHORT = 240  # bars for the twin in Python
GAP_BARS = 600


def series() -> Iterator[tuple[str, Bars]]:
    """Bars of every kind, each a column by its name."""
    for symbol, bars in real_prices().items():
        yield f"{symbol}, daily", bars
    for seed in range(3):
        yield f"random walk {seed}", walk(2000, seed=seed)
    yield "ticks of 0.5", {name: np.round(2.0 * x) / 2.0 for name, x in walk(2000, seed=5).items()}
    yield "constant", {name: np.full(1000, 100.1) for name in walk(1)}
    yield "rising", {name: x + np.arange(1000) * 0.25 for name, x in walk(1, seed=1).items()}
    yield "tiny prices", _priced(walk(1000, seed=2), lambda x: x * 1e-10)
    yield "huge offset", _priced(walk(1000, seed=3), lambda x: x + 1e8)


def _priced(bars: Bars, change: Any) -> Bars:
    return {name: x if name == "volume" else change(x) for name, x in bars.items()}


def parameters(row: Indicator) -> Iterator[tuple[float, ...]]:
    """The defaults; then each parameter by itself over its grid, and all periods together."""
    defaults = tuple(param.default for param in row.params)
    grids = [[value for value in _grid(param) if param.lo <= value <= param.hi] for param in row.params]
    together = itertools.zip_longest(*(grid if param.kind == "int" else [] for param, grid in zip(row.params, grids)))
    seen = {defaults}
    yield defaults
    for place, grid in enumerate(grids):
        for value in grid:
            seen.add((*defaults[:place], value, *defaults[place + 1 :]))
    for values in together:
        seen.add(tuple(default if value is None else value for value, default in zip(values, defaults)))
    yield from sorted(seen - {defaults})


def _grid(param: Any) -> tuple[float, ...]:
    return {"int": PERIODS, "matype": tuple(MATYPES), "float": NUMBERS}[param.kind]


def outputs(result: Any) -> tuple[Any, ...]:
    return tuple(result) if isinstance(result, tuple) else (result,)


def given(row: Indicator, values: tuple[float, ...]) -> list[Any]:
    return [float(value) if param.kind == "float" else int(value) for param, value in zip(row.params, values)]


def differences(ours: Any, theirs: Any, size: float) -> Any:
    """The bars at which two outputs differ."""
    scale = max(size, float(np.nanmax(np.abs(theirs), initial=0.0)))
    off = np.abs(ours - theirs)
    wrong = (off > 1e-9 * np.abs(theirs)) & (off > 1e-12 * scale)
    return np.flatnonzero(wrong | (np.isnan(ours) != np.isnan(theirs)))


def compare(row: Indicator, values: tuple[float, ...], bars: Bars, what: str) -> bool:
    """Whether a function gives what TA-Lib gives; prints where it does not."""
    inputs = [np.ascontiguousarray(bars[name]) for name in row.inputs]
    params = given(row, values)
    try:
        theirs = outputs(getattr(talib, row.definition)(*inputs, *params))
    except Exception as error:
        if "TA_BAD_PARAM" not in str(error):
            raise
        return True  # parameters that are allowed one by one, not together
    try:
        ours = outputs(getattr(ta, row.name)(*inputs, *params))
    except Exception as error:
        print(f"{row.name}{tuple(params)}, {what}: {type(error).__name__}: {error}")
        return False
    missing = np.arange(len(inputs[0])) < row.lookback(*values)
    prices = [x for name, x in zip(row.inputs, inputs) if name != "volume"] or inputs
    size = float(max(np.max(np.abs(x), initial=0.0) for x in prices))
    same = True
    for output, a, b in zip(row.outputs, ours, theirs, strict=True):
        b = np.where(missing, np.nan, b) if b.dtype.kind == "i" else b
        at = differences(a, b, 0.0 if output.talib == "integer" else size)
        if at.size:
            first = f"bar {at[0]}: {a[at[0]]} for {b[at[0]]}"
            print(f"{row.name}{tuple(params)} {output.name}, {what}: {at.size} bars, {first}")
            same = False
    return same


def parity(rows: list[Indicator], twin: str) -> int:
    wrong = total = 0
    for row in rows:
        for values in parameters(row):
            for what, bars in series():
                if twin == "python":
                    bars = {name: x[:SHORT] for name, x in bars.items()}
                with flags.override("indicators", twin):
                    wrong += not compare(row, values, bars, f"{what}, {twin}")
                total += 1
    print(f"{twin}: {total} comparisons of {len(rows)} functions, {wrong} with differences")
    return wrong


def forms(rows: list[Indicator]) -> int:
    """Live against whole series within 1e-12, boards against live exactly; after a spike, what is left of it."""
    wrong = 0
    for row in rows:
        params = given(row, tuple(param.default for param in row.params))
        definition = getattr(ta, row.definition)(*params)
        columns = [column(name) for name in row.inputs]
        for what, bars in series():
            inputs = [np.ascontiguousarray(bars[name][:400]) for name in row.inputs]
            whole, live = outputs(getattr(ta, row.name)(*inputs, *params)), outputs(definition.live().extend(*inputs))
            size = max(float(np.max(np.abs(x))) for x in inputs)
            board = ta.Plan(one=getattr(ta, row.definition)(*params)).live(symbols=2)
            ticks = []
            for t in range(len(inputs[0])):
                board.update(**{name: np.full(2, x[t]) for name, x in zip(columns, inputs)})
                ticks.append([x[0] for x in outputs(board["one"])])
            for a, b, c in zip(whole, live, zip(*ticks)):
                b = np.asarray(b, dtype=float)
                scale = max(size, float(np.nanmax(np.abs(a), initial=0.0)))
                if not np.allclose(a, b, rtol=1e-12, atol=1e-14 * scale, equal_nan=True):
                    print(f"{row.name}, {what}: live is off by {np.nanmax(np.abs(a - b)) / scale:.1e} of {scale:.1e}")
                    wrong += 1
                if not np.array_equal(b, np.array(c), equal_nan=True):
                    print(f"{row.name}, {what}: a board does not give what a live indicator gives")
                    wrong += 1
        wrong += _spike(row, params)
    print(f"forms: {len(rows)} functions, {wrong} with differences")
    return wrong


def _spike(row: Indicator, params: list[Any]) -> int:
    """One price of 1e16 must leave nothing behind once it is out of the windows."""
    if row.missing not in ("bar", "window"):
        return 0
    inputs = [walk(1500, seed=7)[name].copy() for name in row.inputs]
    clean = outputs(getattr(ta, row.name)(*inputs, *params))
    for name, x in zip(row.inputs, inputs):
        if name != "volume":
            x[100] = 1e16
    after = outputs(getattr(ta, row.name)(*inputs, *params))
    start = 101 + 2 * max(row.lookback(*params), 1)
    wrong = [not np.array_equal(a[start:], b[start:], equal_nan=True) for a, b in zip(clean, after)]
    if any(wrong):
        left = max(float(np.nanmax(np.abs(a[start:] - b[start:]))) for a, b in zip(clean, after))
        print(f"{row.name}: a spike of 1e16 leaves {left:.1e} behind")
    return int(any(wrong))


def missing(rows: list[Indicator], twin: str) -> int:
    """`nan="talib"` against TA-Lib on series with missing values, for parameters with which clean series are equal."""
    wrong = total = 0
    for row in rows:
        columns = columns_of(row, SHORT if twin == "python" else GAP_BARS)
        for values in parameters(row):
            params, bad = given(row, values), []
            try:
                clean = from_talib(row, columns, params)
            except Exception as error:
                if "TA_BAD_PARAM" not in str(error):
                    raise
                continue
            with flags.override("indicators", twin):
                if not _close(outputs(getattr(ta, row.name)(*columns, *params)), clean):
                    continue
                for what, mask in gaps(row, params, len(columns[0])):
                    inputs = [np.where(gone, np.nan, x) for gone, x in zip(mask, columns)]
                    found = outputs(getattr(ta, row.name)(*inputs, *params, nan="talib"))
                    bad += [] if _close(found, from_talib(row, inputs, params)) else [what]
                    total += 1
            if bad:
                print(f"{row.name}{tuple(params)}, {twin}: {len(bad)} series, {bad[0]}")
            wrong += len(bad)
    print(f"{twin}: {total} series with missing values, {wrong} with differences")
    return wrong


def _close(ours: tuple[Any, ...], theirs: tuple[Any, ...]) -> bool:
    return all(np.allclose(a, b, rtol=1e-8, atol=1e-8, equal_nan=True) for a, b in zip(ours, theirs, strict=True))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="functions; all if none is given")
    parser.add_argument("--twin", choices=("compiled", "python", "both"), default="both")
    parser.add_argument("--forms", action="store_true", help="compare the forms of each function instead")
    parser.add_argument("--gaps", action="store_true", help="compare series with missing values instead")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    known = set(talib.get_functions())  # type: ignore[no-untyped-call]
    rows = [
        row for row in INDICATORS.values() if row.definition in known and (not args.names or row.name in args.names)
    ]
    if args.forms:
        return min(forms(rows), 1)
    twins = ("compiled", "python") if args.twin == "both" else (args.twin,)
    return min(sum((missing if args.gaps else parity)(rows, twin) for twin in twins), 1)


if __name__ == "__main__":
    sys.exit(main())
