"""Definitions traced to programs: what is shared, what is left out, and what is refused."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest

from fastcore.dispatch import backends
from python_fallback.shared.indicators import Node, Program, lookback, missing_data, program_of, trace
from python_fallback.shared.indicators.operators import OPERATORS
from tests.conftest import PURE_ONLY
from tests.indicators.arrays import assert_array_equal


def names(program: Program) -> list[str]:
    return [node.operator for node in program.nodes]


def test_equal_nodes_are_made_once() -> None:
    program = trace(lambda o, x, y: (o.mean(x + y, 3) - o.mean(y + x, 3)) + x, 2, ())
    assert names(program) == ["add", "mean", "sub", "add"]


def test_nodes_without_use_are_left_out() -> None:
    def calculate(o: Any, x: Any, n: int) -> Any:
        o.deviation(x, n)
        return o.mean(x, n)

    assert names(trace(calculate, 1, (5.0,))) == ["mean"]


def test_outputs_have_places_of_their_own() -> None:
    program = trace(lambda o, x: (x, x, o.mean(x, 2)), 1, ())
    assert names(program) == ["mean", "copy", "copy"]
    assert len(set(program.outputs)) == 3
    assert 0 not in program.outputs


def test_operators_in_a_row_are_joined_where_one_does_the_work_of_both() -> None:
    def calculate(o: Any, x: Any, y: Any) -> Any:
        return o.where(x > y, 100.0 * o.ratio(x, y), abs(x - y))

    program = trace(calculate, 2, ())
    assert names(program) == ["scaled_ratio", "distance", "where_greater"]
    assert program.nodes[0].params == (0.0, 100.0)
    both = trace(lambda o, x, y: abs(x - y) + (x - y), 2, ())
    assert names(both) == ["sub", "distance", "add"]


@pytest.mark.parametrize(
    ("calculate", "operators", "weights"),
    [
        (lambda o, x, y: x * 2.0 - y, ["combine_two"], (2.0, -1.0)),
        (lambda o, x, y: y + 0.5 * x, ["combine_two"], (0.5, 1.0)),
        (lambda o, x, y: 3.0 * x - 3.0 * y + o.lag(x, 1), ["lag", "combine_three"], (3.0, -3.0, 1.0)),
        (lambda o, x, y: -x + y * 0.1 - o.lag(x, 1) + o.lag(y, 1), ["lag", "lag", "combine_four"], (0.1, -1, -1, 1)),
        (lambda o, x, y: o.lag(x, 1) + (x - y * 3.0), ["lag", "combine_three"], (1.0, -3.0, 1.0)),
        (lambda o, x, y: x - (x - y * 3.0), ["combine_two", "sub"], None),  # in another order the last digit may differ
        (lambda o, x, y: (x * 2.0, x * 2.0 - y), ["times", "sub"], None),
        (lambda o, x, y: x - y + o.lag(x, 1), ["lag", "sub", "add"], None),  # others may use the parts
        (lambda o, x, y: x * 2 + y + x * 3 + y * 5 + x * 7, ["combine_four", "times", "add"], None),
    ],
)
def test_products_with_numbers_and_their_sums_are_one_operator(
    backend: str, calculate: Any, operators: Any, weights: Any
) -> None:
    program = trace(calculate, 2, ())
    assert sorted(names(program)) == sorted(operators)
    assert weights is None or program.nodes[-1].params == weights

    class OfNumpy:
        @staticmethod
        def lag(x: Any, bars: int) -> Any:
            return np.concatenate((np.full(bars, math.nan), x[:-bars]))

    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 50)) * 10.0 ** rng.integers(-9, 9, (2, 50))
    found = backends.twin("indicators", backend).batch(program, (), (x, y))
    wanted = calculate(OfNumpy, x, y)
    for one, other in zip(found, wanted if isinstance(wanted, tuple) else (wanted,), strict=True):
        assert_array_equal(one, other)


def test_a_sum_is_made_of_the_sums_of_its_halves_where_these_are_known() -> None:
    program = trace(lambda o, x: (o.sum(x, 7), o.sum(x, 14), o.sum(x, 9)), 1, ())
    assert names(program) == ["sum", "lag", "add", "sum"]
    thrice = trace(lambda o, x: (o.sum(x, 7), o.sum(x, 14), o.sum(x, 28), o.sum(x, 14) * 2.0), 1, ())
    assert names(thrice) == ["sum", "lag", "add", "lag", "add", "times"]
    assert lookback(trace(lambda o, x: o.sum(x, 7) - o.sum(x, 14), 1, ())) == 13


def test_built_in_indicators_are_operators() -> None:
    program = trace(lambda o, x: o.macd(x, 12, 26, 9)[0] + o.rsi(x, 14), 1, ())
    assert lookback(program) == 33


def test_lookback_and_policy_follow_from_the_operators() -> None:
    assert lookback(trace(lambda o, x: o.mean(o.lag(x, 3), 5) + x, 1, ())) == 7
    assert missing_data(trace(lambda o, x: x + 1.0, 1, ())) == "bar"
    assert missing_data(trace(lambda o, x: o.lag(x, 3), 1, ())) == "window"
    assert missing_data(trace(lambda o, x: o.total(x), 1, ())) == "recurrence"
    assert missing_data(trace(lambda o, x: o.total(o.lag(x, 3)), 1, ())) == "mixed"


def test_programs_are_plain_data() -> None:
    program = program_of("adx", (14.0,))
    again = pickle.loads(pickle.dumps(program))
    assert again == program
    assert hash(again) == hash(program)
    assert program_of("adx", (14.0,)) is program
    assert program_of(program) is program


@pytest.mark.parametrize(
    ("calculate", "error", "text"),
    [
        (lambda o, x: o.mean(x, 0), ValueError, r"mean: period: expected an int in 1\.\.100000000, got 0"),
        (lambda o, x: o.mean(x, 2.5), ValueError, r"mean: period: expected an int in 1\.\.100000000, got 2\.5"),
        (lambda o, x: o.slope(x, 1), ValueError, r"slope: period: expected an int in 2\.\."),
        (lambda o, x: o.lag(x, -1), ValueError, r"lag: bars: expected an int in 0\.\."),
        (lambda o, x: o.lag(x, math.nan), ValueError, r"lag: bars: expected an int"),
        (
            lambda o, x: o.mean(x, x),
            TypeError,
            "mean: period: expected a number that is known at trace time, got a value",
        ),
        (lambda o, x: o.mean(x, "3"), TypeError, "mean: period: expected a number .* got str"),
        (lambda o, x: o.mean([1.0], 3), TypeError, "mean: expected a value of the definition or a number, got list"),
        (lambda o, x: o.map("nothing", x), ValueError, "map: expected the name of a function of one number"),
        (lambda o, x: o.smaa(x, 3), AttributeError, r"o\.smaa: expected an operator .*; did you mean o\.sma\?"),
        (lambda o, x: o.where(x == 1.0, x, 0.0), TypeError, r"not compared with ==: write o\.equal"),
        (lambda o, x: x != 1.0, TypeError, r"not compared with ==: write o\.equal"),
        (lambda o, x: x**2, TypeError, r"has no power: write x \* x"),
        (lambda o, x: x[1], TypeError, r"cannot be iterated or indexed: write o\.lag"),
        (lambda o, x: np.log(x), TypeError, r"numpy\.log takes no value of a definition: write o\.ln\(x\)"),
        (lambda o, x: np.add.reduce(x), TypeError, r"numpy\.add takes no value"),
        (lambda o, x: o.nothing(x), AttributeError, r"o\.nothing: expected an operator or a built-in indicator"),
        (lambda o, x: x if x > 1.0 else o.lag(x, 1), TypeError, r"no truth at trace time: write o\.where"),
        (lambda o, x: max(x, o.lag(x, 1)), TypeError, r"no truth at trace time"),
        (lambda o, x: list(x), TypeError, r"cannot be iterated or indexed: write o\.lag"),
        (lambda o, x: None, TypeError, "return: expected a value of the definition or a number, got NoneType"),
        (lambda o, x: (), TypeError, "return a value or a tuple"),
        (lambda o, x: x + "a", TypeError, "add: expected a value of the definition or a number, got str"),
    ],
)
def test_a_misuse_names_the_operator(calculate: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        trace(calculate, 1, ())


def test_numbers_of_numpy_take_part_in_arithmetic() -> None:
    def plain(o: Any, x: Any) -> Any:
        return o.where(x < 3.0, 2.0 * x + 1.0 - x, 5.0 / x)

    def numpy(o: Any, x: Any) -> Any:
        return o.where(np.float64(3.0) > x, np.int64(2) * x + np.float32(1.0) - x, np.array(5.0) / x)

    assert trace(numpy, 1, ()) == trace(plain, 1, ())


def test_a_definition_has_so_many_operators_at_most() -> None:
    def calculate(o: Any, x: Any, n: int) -> Any:
        for _ in range(n):
            x = o.sqrt(x)
        return x

    assert len(trace(calculate, 1, (10_000.0,)).nodes) == 10_000
    with pytest.raises(ValueError, match="expected a definition of at most 10000 operators, got 10001"):
        trace(calculate, 1, (10_001.0,))


def test_values_of_two_definitions_do_not_mix() -> None:
    kept: list[Any] = []

    def first(o: Any, x: Any) -> Any:
        kept.append(x)
        return x + 1.0

    trace(first, 1, ())
    with pytest.raises(ValueError, match="add: expected a value of this definition, got one of another"):
        trace(lambda o, x: x + kept[0], 1, ())


HOSTILE: list[Any] = [
    (),
    (1, (), ()),
    (0, (("constant", (), (1.0,)),), (0,)),
    (9, (("copy", (0,), ()),), (9,)),
    (1, (("copy", (0,), ()),), (0,)),
    (1, (("copy", (0,), ()),), (2,)),
    (1, (("copy", (0,), ()),), (1, 1)),
    (1, (("copy", (0,), ()),), (-1,)),
    (1, (("copy", (1,), ()),), (1,)),
    (1, (("copy", (10**30,), ()),), (1,)),
    (1, (("copy", (0, 0), ()),), (1,)),
    (1, (("copy", [0], ()),), (1,)),
    (1, (("copy", (0,)),), (1,)),
    (1, (("nothing", (0,), ()),), (1,)),
    (1, ((7, (0,), ()),), (1,)),
    (1, (("mean", (0,), ()),), (1,)),
    (1, (("mean", (0,), (0.0,)),), (1,)),
    (1, (("mean", (0,), (2.5,)),), (1,)),
    (1, (("mean", (0,), (math.nan,)),), (1,)),
    (1, (("mean", (0,), (1e300,)),), (1,)),
    (1, (("slope", (0,), (1.0,)),), (1,)),
    (1, (("copy", (0,), ()),) * 10_001, (401,)),
    (1, (("copy", (0,), ()),) * 5, (1, 2, 3, 4, 5)),
    ("1", (("copy", (0,), ()),), (1,)),
]


@pytest.mark.skipif(PURE_ONLY, reason="of the compiled twin")
@pytest.mark.parametrize("parts", HOSTILE, ids=lambda parts: repr(parts)[:40])
def test_the_compiled_twin_refuses_programs_that_are_none(parts: Any) -> None:
    core = backends.twin("indicators", "compiled")

    class Claimed(Program):
        def __new__(cls, *items: Any) -> Any:
            return tuple.__new__(cls, items)

    with pytest.raises((ValueError, TypeError)):
        core.batch(Claimed(*parts), (), (np.ones(5),))
    with pytest.raises((ValueError, TypeError)):
        core.Live(Claimed(*parts), ())


@pytest.mark.parametrize("source", ["nothing", 7, None, ("sma",)])
def test_an_unknown_source_is_refused(backend: str, source: Any) -> None:
    core = backends.twin("indicators", backend)
    with pytest.raises(ValueError, match="name: expected the name of an indicator"):
        core.batch(source, (), (np.ones(5),))
    with pytest.raises(ValueError, match="name: expected the name of an indicator"):
        core.Live(source, ())


def test_a_state_of_another_program_is_refused(backend: str) -> None:
    core = backends.twin("indicators", backend)
    one = Program(1, (Node("weighted", (0,), (5.0,)),), (1,))
    live = core.Live(one, ())
    live.extend(np.arange(9.0))
    again = pickle.loads(pickle.dumps(live))
    assert again.update(3.0) == live.update(3.0)
    if backend == "compiled":
        state = live.__reduce__()[2]
        with pytest.raises(ValueError, match="state: expected one of"):
            core.Live(Program(1, (Node("weighted", (0,), (6.0,)),), (1,)), ()).__setstate__(state)
        broken = b"\xff" * len(state[1])
        with pytest.raises(ValueError, match="state: expected one of"):
            live.__setstate__((state[0], broken, *state[2:]))


def test_every_operator_has_a_method_or_a_sign() -> None:
    from python_fallback.shared.indicators import Operators

    signs = {"add", "sub", "mul", "div", "neg", "abs", "gt", "ge", "add_number", "subtract_from", "times", "divide_by"}
    of_map = {row.name for row in OPERATORS.values() if (row.kind, row.inputs, row.params) == ("map", 1, ())}
    within = {"divide", "eq", "there", "constant"}
    joined = {"distance", "scaled_ratio", "where_greater"}
    joined |= {"sum_over", "sum_of_three_over", "sum_of_four_over", "adaptive_rate"}
    joined |= {"combine_two", "combine_three", "combine_four"}  # by the definitions themselves
    for name in set(OPERATORS) - signs - of_map - within - joined:
        assert callable(vars(Operators).get(name)), name
