"""Programs of operators at random, on series with missing bars: whole series give what their bars give one by one.

What turns on the last digits of a value, as ranks, comparisons and divisors do, is an input of the program.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fastcore.dispatch import backends
from python_fallback.shared.indicators import Node, Program
from python_fallback.shared.indicators.operators import OPERATORS
from python_fallback.shared.indicators.program import pruned
from tests.conftest import PURE_ONLY
from tests.indicators.arrays import assert_allclose, assert_array_equal

PROGRAMS = {"compiled": 400, "python": 40}  # of a test; bars of the pure twin take long
TESTS = 4
OF_ONE = ("abs", "neg", "sqrt", "copy", "tanh", "ln", "atan")
OF_TWO = ("add", "sub", "mul", "greatest", "least", "distance", "there")
OF_WINDOW = ("sum", "mean", "highest", "lowest", "variance", "deviation", "weighted", "mean_deviation")


class Maker:
    """Makes a program node by node; later values are chosen more often."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.inputs = rng.randint(1, 3)
        self.nodes: list[Node] = []
        kinds: dict[Callable[[], Node], int] = {
            lambda: self.node(rng.choice(OF_TWO)): 28,
            lambda: self.node(rng.choice(OF_ONE)): 10,
            lambda: self.node("times", rng.choice([2.0, -1.0, 0.5])): 4,
            lambda: self.node("add_number", rng.choice([0.0, 3.5])): 3,
            lambda: self.with_input("div"): 4,
            lambda: self.with_input("ratio", rng.choice([0.0, np.nan])): 5,
            self.follow: 4,
            lambda: self.of_input("surplus"): 2,
            lambda: self.of_input("where_greater"): 2,
            lambda: self.node("lag", float(rng.randint(0, 6))): 8,
            lambda: self.node(rng.choice(OF_WINDOW), float(rng.choice([1, 2, 3, 5, 12, 40]))): 16,
            lambda: self.of_input(rng.choice(["since_highest", "since_lowest"]), 7.0, float(rng.randint(0, 2))): 4,
            lambda: self.of_input("rank", 5.0, 3.0, 0.0): 2,
            lambda: self.node("smooth", float(rng.choice([1, 3, 10])), rng.choice([0.5, 0.9])): 10,
            lambda: self.node("total"): 4,
            lambda: self.node("previous", rng.choice([np.nan, 0.0])): 3,
            lambda: self.with_input("hold"): 2,
            lambda: self.with_input("first"): 1,
            lambda: self.node("line", float(rng.choice([2, 9])), rng.choice([0.0, 3.0])): 2,
            lambda: self.of_input("covariance", 6.0, 2.0): 1,
            lambda: self.node("after", float(rng.randint(0, 5))): 2,
        }
        for make in rng.choices(list(kinds), list(kinds.values()), k=rng.randint(2, 9)):
            self.nodes.append(make())

    def node(self, operator: str, *params: float) -> Node:
        values = self.inputs + len(self.nodes)
        first = max(0, values - 5) if self.rng.random() < 0.7 else 0
        inputs = tuple(self.rng.randrange(first, values) for _ in range(OPERATORS[operator].inputs))
        return Node(operator, inputs, params)

    def follow(self) -> Node:
        self.nodes.append(Node("times", (self.rng.randrange(self.inputs),), (0.003,)))  # a rate: inputs are about 100
        x, start = self.node("add").inputs
        return Node("follow", (x, self.inputs + len(self.nodes) - 1, start), ())

    def of_input(self, operator: str, *params: float) -> Node:
        inputs = tuple(self.rng.randrange(self.inputs) for _ in range(OPERATORS[operator].inputs))
        return Node(operator, inputs, params)

    def with_input(self, operator: str, *params: float) -> Node:
        value = self.rng.randrange(self.inputs + len(self.nodes))
        return Node(operator, (value, self.rng.randrange(self.inputs)), params)

    def program(self) -> Program:
        last = self.inputs + len(self.nodes) - 1
        others = self.rng.sample(range(self.inputs, last + 1), self.rng.randint(0, min(2, len(self.nodes))))
        return pruned(Program(self.inputs, tuple(self.nodes), tuple(sorted({*others, last}))))


def series(rng: np.random.Generator, count: int, bars: int) -> tuple[Any, ...]:
    """Random walks in which bars are missing, one of which may lead, or be infinite."""
    walks = [100.0 + rng.normal(size=bars).cumsum() for _ in range(count)]
    together = rng.random(bars) < 0.02
    for x in walks:
        x[together if rng.random() < 0.5 else rng.random(bars) < 0.02] = np.nan
    if rng.random() < 0.25:
        walks[0][rng.integers(bars)] = rng.choice([np.inf, -np.inf, 0.0])
    if rng.random() < 0.1:
        for x in walks:
            x[: rng.integers(bars)] = np.nan
    return tuple(walks)


def made(seed: int) -> Program:
    """A program that reads all its inputs: a bar that lacks another one is missing too, but for a board."""
    rng = random.Random(seed)
    while True:
        program = Maker(rng).program()
        if set(range(program.inputs)) <= {value for node in program.nodes for value in node.inputs}:
            return program


def together(outputs: Any) -> tuple[Any, ...]:
    return outputs if isinstance(outputs, tuple) else (outputs,)


@pytest.mark.parametrize("turn", range(TESTS))
def test_whole_series_give_what_their_bars_give(backend: str, turn: int) -> None:
    core = backends.twin("indicators", backend)
    for number in range(PROGRAMS[backend] // (4 if PURE_ONLY else 1)):
        seed = TESTS * number + turn
        program, rng = made(seed), np.random.default_rng(seed)
        bars = int(rng.choice([40, 300] if backend == "python" else [40, 300, 1_500, 5_000]))
        inputs = series(rng, program.inputs, bars)
        with np.errstate(all="ignore"):
            whole, bar_by_bar = core.batch(program, (), inputs), together(core.Live(program, ()).extend(*inputs))
        for ours, expected in zip(whole, bar_by_bar, strict=True):
            size = np.abs(expected[np.isfinite(expected)]).max(initial=1.0)
            assert_allclose(ours, expected, rtol=1e-6, atol=1e-7 * size, err_msg=f"program {seed}: {program}")


# What random programs found: a layer that reads one input of two, results of a layer that begin later than others.
LAYERS: dict[str, tuple[Any, ...]] = {
    "one input of two": (
        2,
        ("smooth", (0,), 1.0, 0.5),
        ("add", (0, 1)),
        ("lag", (2,), 0.0),
        ("mean", (3,), 3.0),
        ("sub", (4, 5)),
    ),
    "a later first result": (
        1,
        ("smooth", (0,), 1.0, 0.5),
        ("highest", (1,), 12.0),
        ("after", (1,), 3.0),
        ("hold", (3, 2)),
        ("sub", (3, 4)),
    ),
    "read by another layer": (
        1,
        ("least", (0, 0)),
        ("sum", (0,), 7.0),
        ("greatest", (0, 2)),
        ("smooth", (1,), 3.0, 0.5),
        ("highest", (4,), 1.0),
        ("hold", (5, 3)),
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_of_windows_and_averages_lack_what_their_bars_lack(backend: str, name: str) -> None:
    inputs, *nodes = LAYERS[name]
    made = tuple(Node(operator, values, tuple(params)) for operator, values, *params in nodes)
    core, program = backends.twin("indicators", backend), Program(inputs, made, (inputs + len(made) - 1,))
    walks = series(np.random.default_rng(5), inputs, 300)
    walks[-1][100] = np.nan
    (whole,) = core.batch(program, (), walks)
    assert_allclose(whole, core.Live(program, ()).extend(*walks), rtol=1e-9, atol=1e-9)


def test_a_long_chain_of_windows_and_averages_is_made_at_once(backend: str) -> None:
    core, nodes = backends.twin("indicators", backend), 4_000
    chain = [
        Node("mean", (value,), (1.0,)) if value % 2 else Node("smooth", (value,), (1.0, 0.5)) for value in range(nodes)
    ]
    program, real = Program(1, tuple(chain), (nodes,)), np.arange(12.0)
    real[5] = np.nan
    whole, bar_by_bar = core.batch(program, (), (real,)), core.Live(program, ()).extend(real)
    assert_allclose(whole[0], bar_by_bar, rtol=1e-9)


def test_symbols_of_a_board_are_live_programs(backend: str) -> None:
    core, symbols, bars = backends.twin("indicators", backend), 5, 60
    for seed in range(PROGRAMS[backend] // 20):
        specs = [(program, (), tuple("abc"[: program.inputs])) for program in map(made, range(3 * seed, 3 * seed + 3))]
        walks = [series(np.random.default_rng(symbols * seed + symbol), 3, bars) for symbol in range(symbols)]
        columns = {name: np.array(rows) for name, rows in zip("abc", zip(*walks))}
        used = {name for *_, names in specs for name in names}
        board = core.Board(specs, symbols)
        lives = [[core.Live(program, ()) for _ in range(symbols)] for program, *_ in specs]
        with np.errstate(all="ignore"):
            for bar in range(bars):
                board.update({name: columns[name][:, bar].copy() for name in used})
                for part, (program, _, names) in enumerate(specs):
                    expected = [
                        together(live.update(*(columns[name][symbol, bar] for name in names)))
                        for symbol, live in enumerate(lives[part])
                    ]
                    for ours, theirs in zip(together(board.output(part)), zip(*expected), strict=True):
                        assert_array_equal(ours, theirs, err_msg=f"bar {bar} of program {3 * seed + part}: {program}")
