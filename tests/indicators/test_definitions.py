"""Every indicator against TA-Lib, on real prices and on random walks; the table against TA-Lib's own."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
import talib
from talib import abstract

from fastcore.indicators.registry import INDICATORS, Indicator, rolling
from tests.indicators.arrays import assert_allclose, assert_array_equal
from tests.indicators.cases import CASES, DEFAULTS, PROGRAM_CASES, Case, call, inputs_of, real_prices, walk
from tests.indicators.turns import in_turn

IN_TALIB = [row for row in INDICATORS.values() if row.group != rolling.GROUP]
each_row = in_turn("row", IN_TALIB)
each_case = in_turn("case", CASES)
each_program = in_turn("case", [case for case in PROGRAM_CASES if case.row in IN_TALIB])


# Results that are volumes, or sums of them, and not prices; the squares and the quotients of prices.
SCALES = {
    "ad": 1e9,
    "adosc": 1e7,
    "efi": 1e7,
    "pvt": 1e7,
    "mult": 1e4,
    "exp": 1e6,
    "sinh": 1e6,
    "cosh": 1e6,
    "var": 1e4,
}


# TA-Lib keeps WILLR in its range where the close is not; its correlation of two bars has eight digits.
TALIB_DIFFERS = {("willr", "columns that know nothing of each other"), ("correl", "700 bars")}


def talib_outputs(case: Case, inputs: list[Any]) -> tuple[Any, ...]:
    """What TA-Lib gives; in its whole numbers 0 stands for what is not there."""
    found = call(getattr(talib, case.row.definition), case, inputs)
    missing = np.cumsum(np.logical_and.reduce([np.isfinite(x) for x in inputs])) <= case.row.lookback(*case.params)
    return tuple(np.where(missing, np.nan, x) if x.dtype.kind == "i" else x for x in found)


def assert_same(ours: tuple[Any, ...], theirs: tuple[Any, ...], what: str, scale: float) -> None:
    """Equal within 1e-9; the absolute part is for results that are differences of `scale`."""
    for place, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        assert_array_equal(np.isnan(a), np.isnan(b), err_msg=f"{what}, output {place}: where NaN stands")
        assert_allclose(a, b, rtol=1e-9, atol=1e-11 * scale, err_msg=f"{what}, output {place}")


@each_case
def test_real_prices_match_talib(ta: ModuleType, case: Case) -> None:
    for symbol, prices in real_prices().items():
        inputs = inputs_of(case.row, prices)
        ours = call(getattr(ta, case.row.name), case, inputs)
        assert_same(ours, talib_outputs(case, inputs), f"{case} of {symbol}", scale=np.max(inputs[0]))


@each_case
def test_random_walks_of_any_length_match_talib(ta: ModuleType, case: Case) -> None:
    for bars in (0, 1, 2, 5, 30, 33, 34, 257, 5000):
        inputs = inputs_of(case.row, walk(bars, seed=bars))
        ours = call(getattr(ta, case.row.name), case, inputs)
        assert_same(ours, talib_outputs(case, inputs), f"{case} of {bars} bars", scale=200.0)


@each_case
def test_leading_gaps_match_talib(ta: ModuleType, case: Case) -> None:
    inputs = [np.concatenate([np.full(7, np.nan), x]) for x in inputs_of(case.row, walk(300))]
    ours = call(getattr(ta, case.row.name), case, inputs)
    assert_same(ours, talib_outputs(case, inputs), f"{case}", scale=200.0)


@each_case
def test_impossible_bars_match_talib(ta: ModuleType, case: Case) -> None:
    """Highs below lows, closes out of range, volumes below zero: columns that know nothing of each other."""
    rng = np.random.default_rng(8)
    for _ in range(20):
        inputs = [rng.normal(size=200) * 10.0 for _ in case.row.inputs]
        ours = call(getattr(ta, case.row.name), case, inputs)
        # A volume whose sum nears zero makes of the last digits any number.
        scale = 1e4 if case.row.name == "vwap" else 1e3
        assert_same(ours, talib_outputs(case, inputs), f"{case}", scale)


@in_turn("case", DEFAULTS)
@pytest.mark.parametrize("level", [0.0, 1.0, 0.1, -3.7, 1e8 + 0.1])
def test_flat_prices_match_talib(ta: ModuleType, case: Case, level: float) -> None:
    inputs = [np.full(200, level) for _ in case.row.inputs]
    ours = call(getattr(ta, case.row.name), case, inputs)
    assert_same(ours, talib_outputs(case, inputs), f"{case} at {level}", scale=abs(level))


@each_case
def test_lookback_matches_talib_and_the_results(ta: ModuleType, case: Case) -> None:
    names = [param.name for param in case.row.params]
    function = abstract.Function(case.row.definition)
    if names:
        function.set_parameters(dict(zip(names, case.params)))
    lookback = case.row.lookback(*case.params)
    assert lookback == function.lookback
    for output in call(getattr(ta, case.row.name), case, inputs_of(case.row, walk(400))):
        assert int(np.isnan(output).sum()) == lookback


@each_program
def test_programs_match_talib(ta: ModuleType, case: Case) -> None:
    google = {name: x[:600] for name, x in real_prices()["GOOG"].items()}
    impossible = np.random.default_rng(8).uniform(0.1, 0.9, size=(len(case.row.inputs), 200))
    for what, inputs, scale in (
        ("real prices", inputs_of(case.row, google), 600.0),
        *((f"{bars} bars", inputs_of(case.row, walk(bars, seed=bars)), 200.0) for bars in (0, 1, 2, 33, 700)),
        ("columns that know nothing of each other", list(impossible), 1.0),
        ("after a gap", [np.concatenate([np.full(7, np.nan), x]) for x in inputs_of(case.row, walk(150))], 200.0),
    ):
        if (case.row.name, what) in TALIB_DIFFERS:
            continue
        ours = call(getattr(ta, case.row.name), case, inputs)
        assert_same(ours, talib_outputs(case, inputs), f"{case} of {what}", scale * SCALES.get(case.row.name, 1.0))
    function = abstract.Function(case.row.definition)
    if case.params:
        function.set_parameters({param.name: value for param, value in zip(case.row.params, case.params)})
    assert case.row.lookback(*case.params) == function.lookback


@each_row
def test_the_registry_matches_talibs_metadata(row: Indicator) -> None:
    info = abstract.Function(row.definition).info
    inputs = []
    for kind, names in info["input_names"].items():
        inputs += names if isinstance(names, list) else [kind.replace("price", "real")]
    assert list(row.inputs) == inputs
    assert row.group == info["group"]
    assert {param.name: param.default for param in row.params} == dict(info["parameters"])
    assert [param.name for param in row.params] == list(info["parameters"])
    assert [output.talib for output in row.outputs] == info["output_names"]


@each_row
def test_parameter_ranges_match_talib(row: Indicator) -> None:
    inputs = inputs_of(row, walk(50))
    for param in row.params:
        if param.kind == "matype":
            continue  # TA-Lib has more moving averages
        step: float = 1 if param.kind == "int" else 1e36
        for value, allowed in ((param.lo, True), (param.hi, True), (param.lo - step, False), (param.hi + step, False)):
            assert accepted_by_talib(row, inputs, param.name, value) is allowed, f"{param.name}={value}"


def accepted_by_talib(row: Indicator, inputs: list[Any], name: str, value: float) -> bool:
    try:
        widest = {"minperiod": 1, "maxperiod": 100_000} if row.name == "mavp" else {}  # its bounds are in order
        getattr(talib, row.definition)(*inputs, **{**widest, name: value})
    except Exception as error:
        if "TA_BAD_PARAM" in str(error):
            return False
        raise
    return True
