"""The kernels under each instruction set, and the laws that missing bars, spikes and wide windows obey."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcore import _env, _ext
from tests.indicators.arrays import assert_allclose, assert_array_equal
from tests.indicators.turns import in_turn

if _env.boolean("FASTCORE_NO_EXTENSIONS"):
    pytest.skip("the pure suite", allow_module_level=True)

core: Any = _ext.load("indicators")

OHLC = ("high", "low", "close")
# Name, inputs, parameters, and whether a missing bar ends the series (window) or is left out (recurrence).
KERNELS = [
    ("sma", ("close",), (1.0,), "window"),
    ("sma", ("close",), (7.0,), "window"),
    ("sma", ("close",), (30.0,), "window"),
    ("sma", ("close",), (33.0,), "window"),
    ("sma", ("close",), (300.0,), "window"),
    ("ema", ("close",), (1.0,), "recurrence"),
    ("ema", ("close",), (14.0,), "recurrence"),
    ("rsi", ("close",), (14.0,), "recurrence"),
    ("macd", ("close",), (12.0, 26.0, 9.0), "recurrence"),
    ("macd", ("close",), (9.0, 5.0, 1.0), "recurrence"),
    ("bbands", ("close",), (5.0, 2.0, 1.0, 0.0), "window"),
    ("bbands", ("close",), (20.0, 2.0, 2.0, 0.0), "window"),
    ("atr", OHLC, (14.0,), "recurrence"),
    ("stoch", OHLC, (5.0, 3.0, 0.0, 3.0, 0.0), "window"),
    ("stoch", OHLC, (270.0, 30.0, 0.0, 12.0, 0.0), "window"),
    ("obv", ("close", "volume"), (), "recurrence"),
    ("stddev", ("close",), (5.0, 1.0), "window"),
    ("stddev", ("close",), (21.0, -2.0), "window"),
    ("min", ("close",), (6.0,), "window"),
    ("min", ("close",), (31.0,), "window"),
    ("max", ("close",), (100.0,), "window"),
    ("vwap", (*OHLC, "volume"), (), "recurrence"),
]
MIXED = [
    ("bbands", ("close",), (20.0, 2.0, 2.0, 1.0), "mixed"),
    ("stoch", OHLC, (5.0, 3.0, 1.0, 3.0, 0.0), "mixed"),
    ("stoch", OHLC, (5.0, 3.0, 0.0, 4.0, 1.0), "mixed"),
]


def name_of(kernel: Any) -> str:
    return f"{kernel[0]}{kernel[2]}"


def each(kernels: list[Any]) -> Any:
    return in_turn("kernel", kernels)


def bars(n: int, seed: int, tick: float = 0.0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    close = 100.0 + np.cumsum(rng.standard_normal(n))
    if tick:
        close = np.round(close / tick) * tick  # many equal neighbours
    return {
        "close": close,
        "high": close + rng.random(n),
        "low": close - rng.random(n),
        "volume": np.floor(rng.random(n) * 1e6) + 1.0,
    }


def arrays(kernel: Any, data: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(np.ascontiguousarray(data[key]) for key in kernel[1])


def run(kernel: Any, inputs: Any, **options: Any) -> Any:
    return core.batch(kernel[0], kernel[2], inputs, **options)


@pytest.mark.parametrize("kernel", KERNELS + MIXED, ids=name_of)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_every_instruction_set_gives_the_same_digits(kernel: Any, data: st.DataObject) -> None:
    n = data.draw(st.integers(0, 900))
    made = bars(n, data.draw(st.integers(0, 2**16)), data.draw(st.sampled_from([0.0, 1.0])))
    for at in data.draw(st.lists(st.integers(0, 899), max_size=4)):
        made[data.draw(st.sampled_from(kernel[1]))][at:][:1] = data.draw(st.sampled_from([np.nan, np.inf, 1e16]))
    results = [run(kernel, arrays(kernel, made), isa=isa) for isa in core.isas()]
    for other in results[1:]:
        for one, two in zip(results[0], other):
            assert one.tobytes() == two.tobytes()


@pytest.mark.skipif(platform.machine() != "x86_64" or not os.path.exists("/proc/cpuinfo"), reason="AVX2 is x86's")
def test_the_widest_vectors_of_the_processor_are_used() -> None:
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        flags = next((set(line.split()) for line in file if line.startswith("flags")), set[str]())
    assert ("avx2" in core.isas()) == ({"avx2", "fma", "bmi2"} <= flags)


def test_this_machine_has_more_than_one_instruction_set() -> None:
    vectors = {"x86_64": "sse2", "amd64": "sse2", "aarch64": "neon", "arm64": "neon"}
    assert core.isa() == core.isas()[0]
    assert core.isas()[-1] == "generic"
    assert vectors.get(platform.machine().lower(), "generic") in core.isas()


@each(KERNELS)
@pytest.mark.parametrize("column", [0, -1])
def test_a_missing_bar_ends_a_window_and_is_left_out_of_a_recurrence(kernel: Any, column: int) -> None:
    data = bars(1500, 3)
    gaps = np.array([0, 1, 2, 40, 41, 700, 1100, 1499])
    data[kernel[1][column]][gaps] = [np.nan, np.inf, -np.inf] * 2 + [np.nan] * 2
    whole = run(kernel, arrays(kernel, data))
    there = np.setdiff1d(np.arange(1500), gaps)
    expected = [np.full(1500, np.nan) for _ in whole]
    runs = [there] if kernel[3] == "recurrence" else np.split(there, np.flatnonzero(np.diff(there) > 1) + 1)
    for part in runs:
        for output, values in zip(expected, run(kernel, arrays(kernel, {k: v[part] for k, v in data.items()}))):
            output[part] = values
    for got, wanted in zip(whole, expected):
        assert_allclose(got, wanted, rtol=1e-12, atol=1e-11)


@each(KERNELS + MIXED)
def test_steps_equal_the_batch(kernel: Any) -> None:
    for tick in (0.0, 1.0):
        inputs = arrays(kernel, bars(3000, 5, tick))
        stepped = core.Live(kernel[0], kernel[2]).extend(*inputs)
        for one, two in zip(run(kernel, inputs), stepped if isinstance(stepped, tuple) else (stepped,)):
            assert_allclose(one, two, rtol=1e-12, atol=1e-10)


@each([kernel for kernel in KERNELS if kernel[3] == "window"])
def test_a_spike_leaves_no_trace_in_a_window_it_has_left(kernel: Any) -> None:
    data = bars(2000, 7)
    for column in data.values():
        column[600] = 1e16
    beyond = {key: column[601:].copy() for key, column in data.items()}
    after = run(kernel, arrays(kernel, beyond))
    for whole, alone in zip(run(kernel, arrays(kernel, data)), after):
        there = ~np.isnan(alone)
        assert_allclose(whole[601:][there], alone[there], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("width", [6, 8, 9, 255, 511, 512, 513, 1024, 4999, 5000])
def test_windows_of_every_width_against_their_definition(width: int) -> None:
    x = bars(5000, 11)["close"] + 1e8
    views = np.lib.stride_tricks.sliding_window_view(x, width)
    mean = (views - 1e8).mean(axis=1)
    wanted = {
        ("sma", (float(width),)): (mean + 1e8,),
        ("max", (float(width),)): (views.max(axis=1),),
        ("min", (float(width),)): (views.min(axis=1),),
        ("stddev", (float(width), 1.0)): ((views - 1e8).std(axis=1),),
        ("bbands", (float(width), 0.0, 0.0, 0.0)): (mean + 1e8,) * 3,
    }
    for (name, params), outputs in wanted.items():
        for got, output in zip(core.batch(name, params, (x,)), outputs):
            assert np.isnan(got[: width - 1]).all()
            assert_allclose(got[width - 1 :], output, rtol=1e-9 if name == "stddev" else 1e-14)


@pytest.mark.parametrize("value", [0.1, 1e8 + 0.1, 1e-300])
def test_a_flat_series_is_flat_in_every_indicator(value: float) -> None:
    x = np.full(700, value)
    for width in (2.0, 5.0, 9.0, 30.0):
        for name, params in (("stddev", (width, 1.0)), ("rsi", (width,))):
            assert set(core.batch(name, params, (x,))[0][int(width) :]) == {0.0}
        for output in core.batch("bbands", (width, 2.0, 2.0, 0.0), (x,)):
            assert set(output[int(width) :]) == {value}
        assert set(core.batch("ema", (width,), (x,))[0][int(width) :]) == {value}
    macd = core.batch("macd", (12.0, 26.0, 9.0), (x,))
    assert [set(output[33:]) for output in macd] == [{0.0}] * 3


@each(KERNELS + MIXED)
@pytest.mark.parametrize("threads", [1, 2, 7, 1000])
def test_rows_are_the_same_on_any_number_of_threads(kernel: Any, threads: int) -> None:
    rows = [bars(400, seed) for seed in range(9)]
    rows[4]["close"][50] = np.nan
    panel = {key: np.stack([row[key] for row in rows]) for key in rows[0]}
    together = run(kernel, arrays(kernel, panel), threads=threads)
    for i, row in enumerate(rows):
        for output, alone in zip(together, run(kernel, arrays(kernel, row))):
            assert_array_equal(output[i], alone)


@each(KERNELS + MIXED)
@in_turn("shape", [(0,), (1,), (0, 5), (5, 0), (3, 1)])
def test_empty_and_short_inputs_keep_their_shape(kernel: Any, shape: tuple[int, ...]) -> None:
    for output in run(kernel, tuple(np.ones(shape) for _ in kernel[1])):
        assert output.shape == shape
        assert output.dtype == np.float64


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("isa", core.isas())
def test_the_environment_chooses_the_instruction_set(isa: str) -> None:
    done = run_python("from fastcore._ext import load; print(load('indicators').isa())", FASTCORE_ISA=isa)
    assert done.stdout.strip() == isa, done.stderr


def test_an_unsupported_instruction_set_is_refused() -> None:
    done = run_python("from fastcore._ext import load; load('indicators')", FASTCORE_ISA="mmx")
    assert f"FASTCORE_ISA: expected one of {', '.join(core.isas())}, got 'mmx'" in done.stderr
    with pytest.raises(ValueError, match="isa: expected one of"):
        core.batch("sma", (3.0,), (np.ones(5),), isa="mmx")
