"""Each operator by itself, on both twins, against a slow exact reference."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import bottleneck
import numpy as np
import pytest

from fastcore.dispatch import backends
from python_fallback.shared.indicators.operators import OPERATORS
from python_fallback.shared.indicators.program import Node, Program
from tests.conftest import PURE_ONLY
from tests.indicators.arrays import assert_allclose, assert_array_equal
from tests.indicators.exact import mean_deviation, root, sliding, whole
from tests.indicators.turns import in_turn


@pytest.fixture
def core(backend: str) -> Any:
    return backends.twin("indicators", backend)


def alone(name: str, *params: float) -> Program:
    """The program of one operator."""
    inputs = OPERATORS[name].inputs
    return Program(inputs, (Node(name, tuple(range(inputs)), tuple(map(float, params))),), (inputs,))


def run(core: Any, program: Program, *inputs: Any) -> Any:
    (output,) = core.batch(program, (), tuple(np.ascontiguousarray(x, dtype=float) for x in inputs))
    return output


def variance(w: list[int]) -> Fraction:
    n, total = len(w), sum(w)
    return Fraction(sum((n * x - total) ** 2 for x in w), n**3)


def slope(w: list[int]) -> Fraction:
    n = len(w)
    return Fraction(6 * sum((2 * i + 1 - n) * x for i, x in enumerate(w)), n * (n * n - 1))


def line(w: list[int], at: float) -> Fraction:
    return Fraction(sum(w), len(w)) + slope(w) * (Fraction(at) - Fraction(len(w) - 1, 2))


# Of a window of whole numbers: the operator, its parameters after the period, and what its definition says.
WINDOWS: list[tuple[str, tuple[float, ...], Callable[[list[int]], Any]]] = [
    ("sum", (), sum),
    ("mean", (), lambda w: Fraction(sum(w), len(w))),
    ("variance", (), variance),
    ("deviation", (), lambda w: root(variance(w))),
    ("mean_deviation", (), mean_deviation),
    ("highest", (), max),
    ("lowest", (), min),
    ("weighted", (), lambda w: Fraction(sum((i + 1) * x for i, x in enumerate(w)), sum(range(len(w) + 1)))),
    ("slope", (), slope),
    ("line", (0.0,), lambda w: line(w, 0.0)),
    ("line", (7.5,), lambda w: line(w, 7.5)),
]
SERIES = {
    "walk": lambda rng, n: 100.0 + rng.normal(size=n).cumsum(),
    "offset": lambda rng, n: 1e8 + rng.normal(size=n),
    "tiny": lambda rng, n: 1e-12 * (5.0 + rng.normal(size=n)),
    "flat": lambda rng, n: np.full(n, 0.1),
    "rising": lambda rng, n: np.arange(n) / 3.0,
    "steps": lambda rng, n: np.round(rng.normal(size=n)),
}


@pytest.mark.parametrize("kind", SERIES)
@in_turn("name, others, definition", WINDOWS)
def test_windows_give_their_definition(
    core: Any, name: str, others: tuple[float, ...], definition: Callable[[list[int]], Any], kind: str
) -> None:
    rng = np.random.default_rng(3)
    for period in (1, 2, 3, 6, 7, 20, 33):
        if name in ("slope", "line") and period == 1:
            continue
        x = SERIES[kind](rng, 90)
        values, unit = whole(x)
        unit **= 2 if name == "variance" else 1
        expected = [float(Fraction(definition(w)) / unit) for w in sliding(values, period)]
        size = float(np.max(np.abs(x)))
        spread = float(np.ptp(x)) or size
        # What is a difference of prices has the digits of the differences, whatever the offset.
        scale = {"slope": spread, "deviation": spread, "mean_deviation": spread, "variance": spread**2}.get(name, size)
        for form in ("batch", "live"):
            if form == "batch":
                found = run(core, alone(name, period, *others), x)
            else:
                found = core.Live(alone(name, period, *others), ()).extend(x)
            assert np.isnan(found[: period - 1]).all()
            assert_allclose(found[period - 1 :], expected, rtol=1e-13, atol=4e-14 * scale, err_msg=f"{form} {period}")


@in_turn("kind", SERIES)
@pytest.mark.parametrize("name", ["correlation", "beta"])
def test_pairs_give_their_definition(core: Any, name: str, kind: str) -> None:
    rng = np.random.default_rng(4)
    for n in (1, 2, 3, 8, 21):
        x, y = SERIES[kind](rng, 80), SERIES["walk"](rng, 80)
        (values_x, unit_x), (values_y, unit_y) = whole(x), whole(y)
        expected = []
        for a, b in zip(sliding(values_x, n), sliding(values_y, n)):
            apart_a, apart_b = ([n * value - sum(w) for value in w] for w in (a, b))
            products = sum(p * q for p, q in zip(apart_a, apart_b))
            squares_a, squares_b = sum(p * p for p in apart_a), sum(q * q for q in apart_b)
            if name == "beta":
                expected.append(float(Fraction(products * unit_x, squares_a * unit_y)) if squares_a else 0.0)
            else:
                scale = root(Fraction(squares_a * squares_b))
                expected.append(float(products / scale) if scale else 0.0)
        for found in (run(core, alone(name, n), x, y), core.Live(alone(name, n), ()).extend(x, y)):
            assert np.isnan(found[: n - 1]).all()
            assert_allclose(found[n - 1 :], expected, rtol=1e-9, atol=1e-10)


def held(ages: list[list[int]], period: int) -> list[int]:
    """By the ages, newest first, of each window's extremes: one stays until another comes, or it leaves."""
    found = []
    age = period
    for equals in ages:
        age = equals[-1] if age + 1 >= period else 0 if equals[0] == 0 else age + 1
        found.append(age)
    return found


@in_turn("kind", SERIES)
@pytest.mark.parametrize(("name", "extreme"), [("since_highest", max), ("since_lowest", min)])
def test_ages_of_extremes(core: Any, name: str, extreme: Callable[[Any], float], kind: str) -> None:
    rng = np.random.default_rng(12)
    for period in (1, 2, 3, 4, 5, 6, 9, 20, 33):
        x = SERIES[kind](rng, 120)
        ages = []
        for end in range(period, 121):
            backwards = x[end - period : end].tolist()[::-1]
            ages.append([age for age, value in enumerate(backwards) if value == extreme(backwards)])
        for ties, expected in enumerate(([a[0] for a in ages], [a[-1] for a in ages], held(ages, period))):
            program = alone(name, period, ties)
            for form in (run(core, program, x), core.Live(program, ()).extend(x)):
                assert np.isnan(form[: period - 1]).all()
                assert_array_equal(form[period - 1 :], expected, err_msg=f"{period}, {ties}")


def test_ages_of_extremes_are_those_of_bottleneck_and_numpy(core: Any) -> None:
    x = np.random.default_rng(13).integers(0, 4, 300).astype(float)
    newest, oldest = (run(core, alone("since_lowest", 12, ties), x) for ties in (0, 1))
    assert_array_equal(newest, bottleneck.move_argmin(x, 12))
    assert_array_equal(oldest[11:], 11 - np.lib.stride_tricks.sliding_window_view(x, 12).argmin(axis=1))


def test_bars_are_numbered_from_the_first_one_given(core: Any) -> None:
    x = np.array([math.nan, math.nan, 5.0, 4.0, math.nan, 4.0, 9.0])
    for program, expected in (
        (alone("bar_number"), [math.nan, math.nan, 2.0, 3.0, math.nan, 5.0, 6.0]),
        (
            Program(1, (Node("lag", (0,), (1.0,)), Node("bar_number", (1,), ())), (2,)),
            [*[math.nan] * 3, 3.0, *[math.nan] * 2, 6.0],
        ),
        (
            Program(1, (Node("total", (0,), ()), Node("bar_number", (1,), ())), (2,)),
            [math.nan, math.nan, 2.0, 3.0, math.nan, 5.0, 6.0],
        ),
    ):
        assert_array_equal(run(core, program, x), expected)
        assert_array_equal(run(core, program, np.array([x, x]))[1], expected)
        assert_array_equal(core.Live(program, ()).extend(x), expected)
    long = np.ones(3000)
    assert_array_equal(run(core, alone("bar_number"), long), np.arange(3000))


@in_turn("kind", SERIES)
def test_means_of_windows_that_differ_in_length(core: Any, kind: str) -> None:
    rng = np.random.default_rng(12)
    for longest in (1, 2, 7, 50, 300):
        x, bars = SERIES[kind](rng, 700), rng.uniform(-2.0, longest + 3.0, 700)
        values, unit = whole(x)
        totals = [0, *itertools.accumulate(values)]
        counts = np.clip(bars, 1, longest).astype(int).tolist()
        ends = range(longest, 701)
        sums = [(totals[end] - totals[end - counts[end - 1]], counts[end - 1]) for end in ends]
        expected = [float(Fraction(total, unit * count)) for total, count in sums]
        program = alone("mean_of", longest)
        for found in (run(core, program, x, bars), core.Live(program, ()).extend(x, bars)):
            assert np.isnan(found[: longest - 1]).all()
            assert_allclose(found[longest - 1 :], expected, rtol=1e-14, atol=1e-14 * np.max(np.abs(x)))


MAPS = {
    "neg": lambda x: -x,
    "abs": abs,
    "sqrt": math.sqrt,
    "exp": math.exp,
    "ln": math.log,
    "log10": math.log10,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "atan": math.atan,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "floor": math.floor,
    "ceil": math.ceil,
    "copy": float,
    "sign": lambda x: math.copysign(1.0, x),
}


@in_turn("name", MAPS)
def test_functions_of_one_number(core: Any, name: str) -> None:
    x = np.random.default_rng(5).random(67) * 3.0 + 0.01
    expected = [MAPS[name](value) for value in x.tolist()]
    for found in (run(core, alone(name), x), core.Live(alone(name), ()).extend(x)):
        assert_allclose(found, expected, rtol=1e-15)


@in_turn(
    "name, params, definition",
    [
        ("add_number", (2.5,), lambda x: x + 2.5),
        ("subtract_from", (2.5,), lambda x: 2.5 - x),
        ("times", (2.5,), lambda x: x * 2.5),
        ("divide_by", (2.5,), lambda x: x / 2.5),
        ("divide", (2.5,), lambda x: 2.5 / x),
        ("add", (), lambda x, y: x + y),
        ("sub", (), lambda x, y: x - y),
        ("mul", (), lambda x, y: x * y),
        ("div", (), lambda x, y: x / y),
        ("greatest", (), max),
        ("least", (), min),
        ("gt", (), lambda x, y: float(x > y)),
        ("ge", (), lambda x, y: float(x >= y)),
        ("eq", (), lambda x, y: float(x == y)),
        ("there", (), lambda x, y: x),
        ("ratio", (7.0,), lambda x, y: x / y if y else 7.0),
        ("where", (), lambda c, x, y: x if c else y),
        ("distance", (), lambda x, y: abs(x - y)),
        ("scaled_ratio", (7.0, 3.0), lambda x, y: (x / y if y else 7.0) * 3.0),
        ("where_greater", (), lambda a, b, x, y: x if a > b else y),
        ("surplus", (), lambda x, y: x if x > y and x > 0.0 else 0.0),
        ("share", (), lambda x, y: x / y if y > 0.0 else 0.0),
        ("within", (100.0,), lambda x, low, high: (x - low) / (high - low) * 100.0 if high != low else 0.0),
        ("true_range", (), lambda high, low, c: max(high - low, abs(high - c), abs(low - c))),
        ("money_flow", (), lambda top, low, c, v: ((c - low) - (top - c)) / (top - low) * v if top > low else 0.0),
        ("true_move", (), lambda top, low, c, b: c - min(low, b) if c > b else c - max(top, b) if c < b else 0.0),
        ("balance", (), lambda first, top, low, last: (last - first) / (top - low) if top > low else 0.0),
        ("sum_over", (4.0,), lambda x, y: (x + y) / 4.0),
        ("sum_over", (3.0,), lambda x, y: (x + y) / 3.0),
        ("sum_of_three_over", (3.0, 2.0), lambda x, y, z: (x + y + z * 2.0) / 3.0),
        ("sum_of_four_over", (4.0,), lambda x, y, z, u: (x + y + z + u) / 4.0),
        ("combine_two", (2.0, -1.0), lambda x, y: 2.0 * x - y),
        ("combine_three", (3.0, -3.0, 1.0), lambda x, y, z: (3.0 * x - 3.0 * y) + z),
        ("combine_four", (0.5, 2.0, -1.0, 4.0), lambda x, y, z, u: 0.5 * x + 2.0 * y - z + 4.0 * u),
        (
            "adaptive_rate",
            (0.5, 0.25),
            lambda x, y, path: ((1.0 if path <= x - y or not path else abs(x - y) / path) * 0.5 + 0.25) ** 2,
        ),
    ],
)
def test_arithmetic(core: Any, name: str, params: tuple[float, ...], definition: Any) -> None:
    rng = np.random.default_rng(6)
    inputs = [np.round(rng.normal(size=300) * 2.0) for _ in range(OPERATORS[name].inputs)]
    if name in ("div", "divide"):
        inputs[-1] += 0.25
    expected = [definition(*bar) for bar in zip(*(x.tolist() for x in inputs))]
    for found in (run(core, alone(name, *params), *inputs), core.Live(alone(name, *params), ()).extend(*inputs)):
        assert_array_equal(found, expected)


def smoothed(x: list[float], period: int, keep: float) -> list[float]:
    y = sum(map(Fraction, x[:period])) / period
    found = [math.nan] * (period - 1) + [float(y)]
    for value in x[period:]:
        y = y * Fraction(keep) + Fraction(value) * (1 - Fraction(keep))
        y = Fraction(round(y * 2**200), 2**200)  # or its digits would grow without end
        found.append(float(y))
    return found


@in_turn("kind", SERIES)
def test_smoothing(core: Any, kind: str) -> None:
    x = SERIES[kind](np.random.default_rng(7), 150)
    for period, keep in ((1, 0.0), (1, 0.5), (4, 0.75), (30, 0.9)):
        expected = np.array(smoothed(x.tolist(), period, keep))
        for name, wanted in (("smooth", expected), ("apart", expected - x)):
            for found in (run(core, alone(name, period, keep), x), core.Live(alone(name, period, keep), ()).extend(x)):
                assert_allclose(found, wanted, rtol=1e-12, atol=1e-14 * float(np.max(np.abs(x))))


def test_memories(core: Any) -> None:
    x = np.array([3.0, -1.0, 2.0, 2.0, 5.0, -4.0, 1.0])
    w = np.array([0.0, 0.0, 1.0, -1.0, 0.0, 2.0, 0.0])
    y, rate = x[::-1].copy(), np.full(7, 0.5)
    nan = math.nan
    for name, params, inputs, expected in (
        ("previous", (9.0,), (x,), [9.0, 3.0, -1.0, 2.0, 2.0, 5.0, -4.0]),
        ("previous", (nan,), (x,), [nan, 3.0, -1.0, 2.0, 2.0, 5.0, -4.0]),
        ("total", (), (x,), [3.0, 2.0, 4.0, 6.0, 11.0, 7.0, 8.0]),
        ("product", (), (x,), [3.0, -3.0, -6.0, -12.0, -60.0, 240.0, 240.0]),
        ("after", (3.0,), (x,), [nan, nan, nan, 2.0, 5.0, -4.0, 1.0]),
        ("lag", (2.0,), (x,), [nan, nan, 3.0, -1.0, 2.0, 2.0, 5.0]),
        ("lag", (0.0,), (x,), x),
        ("hold", (), (x, w), [0.0, 0.0, 2.0, 2.0, 2.0, -4.0, -4.0]),
        ("first", (), (x, w), [3.0, -1.0, 2.0, 2.0, 2.0, 2.0, 2.0]),
        ("follow", (), (x, rate, x + 2.0), [4.0, 1.5, 1.75, 1.875, 3.4375, -0.28125, 0.359375]),
        ("trail_below", (), (x, y), [3.0, -1.0, 2.0, 2.0, 5.0, -4.0, 1.0]),
        ("trail_above", (), (x, y), [3.0, -1.0, -1.0, 2.0, 2.0, -4.0, 1.0]),
        ("side", (), (x, w - 1.0, w), [1.0, 1.0, 1.0, 1.0, 1.0, -1.0, 1.0]),
        ("rises", (2.0,), (x,), [nan, nan, 3.0 / 7.0, 3.0 / 7.0, 15.0 / 19.0, 15.0 / 91.0, 5.0 / 9.0]),
    ):
        for found in (run(core, alone(name, *params), *inputs), core.Live(alone(name, *params), ()).extend(*inputs)):
            assert_allclose(found, expected, rtol=1e-15, err_msg=name)


MEMORIES = [
    ("lag", (5.0,)),
    ("weighted", (9.0,)),
    ("line", (9.0, 9.0)),
    ("mean_deviation", (9.0,)),
    ("correlation", (9.0,)),
    ("sum", (9.0,)),
    ("highest", (9.0,)),
    ("since_highest", (9.0, 0.0)),
    ("since_lowest", (9.0, 2.0)),
    ("after", (4.0,)),
    ("previous", (0.0,)),
    ("total", ()),
    ("product", ()),
    ("hold", ()),
    ("first", ()),
    ("follow", ()),
    ("smooth", (9.0, 0.8)),
    ("rises", (9.0,)),
    ("mean_of", (9.0,)),
    ("cycle_smooth", ()),
    ("hilbert", ()),
    ("cycle_period", (2.0,)),
    ("cycle_phase", ()),
    ("cycle_mode", ()),
]


@in_turn("name, params", MEMORIES)
@pytest.mark.parametrize("form", ["batch", "live"])
def test_a_gap_is_met_as_the_kind_of_operator_says(core: Any, name: str, params: tuple[float, ...], form: str) -> None:
    rng = np.random.default_rng(8)
    inputs = [1.0 + 0.01 * rng.normal(size=200) for _ in range(OPERATORS[name].inputs)]
    gaps = [0, 40, 41, 90, 150]
    for turn, at in enumerate(gaps):
        inputs[turn % len(inputs)][at] = (math.nan, math.inf)[turn % 2]
    there = np.setdiff1d(np.arange(200), gaps)
    parts = [there]
    if OPERATORS[name].kind == "window":
        parts = np.split(there, np.flatnonzero(np.diff(there) > 1) + 1)
    expected = np.full(200, math.nan)
    for part in parts:
        expected[part] = run(core, alone(name, *params), *(x[part] for x in inputs))
    if form == "batch":
        found = run(core, alone(name, *params), *inputs)
    else:
        live = core.Live(alone(name, *params), ())
        found = []
        for bar in zip(*(x.tolist() for x in inputs)):
            peeked = live.peek(*bar)
            found.append(live.update(*bar))
            assert_array_equal(peeked, found[-1])
    assert_allclose(found, expected, rtol=1e-12)


def chain(*nodes: tuple[str, tuple[float, ...]]) -> Program:
    """Operators of one input, each over the result of the one before."""
    made = tuple(Node(name, (i,), tuple(map(float, params))) for i, (name, params) in enumerate(nodes))
    return Program(1, made, (len(nodes),))


@pytest.mark.parametrize("wide", [3, 200, 257, 700, 5000])
def test_values_between_operators_are_kept_as_long_as_they_are_looked_back_to(core: Any, wide: int) -> None:
    x = 100.0 + np.random.default_rng(9).normal(size=6000).cumsum()
    program = chain(("times", (2.0,)), ("lag", (float(wide),)), ("smooth", (5.0, 0.5)), ("highest", (float(wide),)))
    found = run(core, program, x)
    earlier = run(core, alone("smooth", 5.0, 0.5), 2.0 * x[:-wide])
    wanted = np.full(6000, math.nan)
    count = len(earlier) - (wide - 1) - 4
    if count > 0:
        views = np.lib.stride_tricks.sliding_window_view(earlier[4:], wide)
        wanted[-count:] = views.max(axis=1)
    assert_allclose(found, wanted, rtol=1e-13)


def test_a_value_between_operators_that_is_not_finite_is_missing(core: Any) -> None:
    x = np.random.default_rng(10).random(700) + 0.5
    x[[300, 301, 500]] = [0.0, -1.0, 0.0]
    logs = np.array([math.log(v) if v > 0.0 else math.nan for v in x.tolist()])
    for name, params in (("mean", (4.0,)), ("smooth", (4.0, 0.5)), ("lag", (3.0,)), ("total", ())):
        expected = run(core, alone(name, *params), logs)
        program = chain(("ln", ()), (name, params))
        for found in (run(core, program, x), core.Live(program, ()).extend(x)):
            assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("bar", [(1.0, 3.0, 0.5, 2.0), (2.0, 2.0, 2.0, 2.0)], ids=["range", "no range"])
@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("price", [math.nan, math.inf, -math.inf, 1.7e308])
def test_a_balance_is_missing_where_a_price_is_missing_or_not_finite(
    core: Any, bar: tuple[float, ...], place: int, price: float
) -> None:
    doubled = tuple(Node("times", (i,), (2.0,)) for i in range(4))  # twice the largest price is not finite
    program = Program(4, (*doubled, Node("balance", (4, 5, 6, 7), ())), (8,))
    inputs = [np.full(11, value) for value in bar]
    expected = run(core, program, *inputs)
    assert np.isfinite(expected).all()
    inputs[place][5], expected[5] = price, math.nan
    for found in (run(core, program, *inputs), core.Live(program, ()).extend(*inputs)):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.skipif(PURE_ONLY, reason="of the compiled twin")
@in_turn("name", OPERATORS)
def test_every_instruction_set_gives_the_same_digits(name: str) -> None:
    core = backends.twin("indicators", "compiled")
    rng = np.random.default_rng(11)
    operator = OPERATORS[name]
    for period in (2, 3, 8, 31, 500):
        params = [
            {"number": 0.75, "ties": float(period % 3)}.get(param.partition(":")[2], float(period))
            for param in operator.params
        ]
        if operator.inputs == 0:
            continue
        inputs = [np.abs(rng.normal(size=2000)) + 0.1 for _ in range(operator.inputs)]
        if period == 8:
            inputs[0][[5, 900]] = math.nan
        results = [core.batch(alone(name, *params), (), tuple(inputs), isa=isa)[0] for isa in core.isas()]
        for other in results[1:]:
            assert other.tobytes() == results[0].tobytes()
