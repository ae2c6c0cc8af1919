"""How long indicators of the user's own live: in pickles, which other processes read, and in memory."""

from __future__ import annotations

import gc
import importlib
import os
import pickle
import subprocess
import sys
import weakref
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from fastcore import indicators
from tests.indicators.arrays import assert_array_equal

SOURCE = """
from fastcore import indicators as ta

@ta.indicator(outputs=("upper", "lower"))
def channel(o, high, low, timeperiod=20):
    return o.highest(high, timeperiod), o.lowest(low, timeperiod)

class Group:
    @ta.indicator(outputs=("a", "b"))
    def both(o, real):
        return real + 1.0, real - 1.0
"""

READER = """
import pickle, sys
result, live, value, inner = pickle.load(sys.stdin.buffer)
assert type(result) is type(value) is type(live.value) is type(live.update(9.0, 0.0))
assert result._fields == ("upper", "lower") and value == (4.0, 2.0), result
assert inner == ([2.0], [0.0]), inner
print(live.backend, live.value, live.count)
"""

HIGH, LOW = [1.0, 2.0, 3.0, 4.0], [0.0, 1.0, 2.0, 3.0]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    (tmp_path / "of_the_user.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "of_the_user", raising=False)
    return importlib.import_module("of_the_user")


@pytest.mark.parametrize("policy", [None, "talib"])
@pytest.mark.parametrize("protocol", [2, pickle.DEFAULT_PROTOCOL])
def test_results_and_live_objects_of_several_outputs_are_read_by_other_processes(
    ta: ModuleType, backend: str, own: ModuleType, tmp_path: Path, policy: Any, protocol: int
) -> None:
    live = own.channel(2).live(HIGH, LOW, nan=policy)
    inner = own.Group.both([1.0])
    text = pickle.dumps((own.channel(HIGH, LOW, 2), live, live.value, type(inner)([2.0], [0.0])), protocol)
    paths = [str(tmp_path), str(Path(__file__).resolve().parents[2])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-c", READER]
    done = subprocess.run(command, input=text, capture_output=True, timeout=60, env=environment)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().split(maxsplit=1) == [backend, "ChannelResult(upper=9.0, lower=0.0) 5\n"]


def test_a_pickle_has_the_results_themselves(ta: ModuleType, own: ModuleType) -> None:
    result = own.channel(HIGH, LOW, 2)
    again = pickle.loads(pickle.dumps(result))
    assert type(again) is type(result) is own.channel.result_type
    for one, other in zip(again, result):
        assert_array_equal(one, other)
    board = ta.Plan(own=own.channel(2)).live(symbols=2)
    board.update(high=[1.0, 2.0], low=[3.0, 4.0])
    assert pickle.loads(pickle.dumps(board["own"]))._fields == ("upper", "lower")
    built_in = ta.minmax(HIGH, 2)
    assert type(pickle.loads(pickle.dumps(built_in))) is type(built_in)


def test_what_other_processes_cannot_find_is_not_pickled(ta: ModuleType) -> None:
    @ta.indicator(outputs=("a", "b"))
    def local(o: Any, x: Any) -> Any:
        return x, o.lag(x, 1)

    unnamed = ta.indicator(outputs=("a", "b"))(lambda o, x: (x, x))
    for one, name in ((local, "local"), (unnamed, "<lambda>")):
        for thing in (one, one(), one().live(), one(HIGH)):
            with pytest.raises((AttributeError, pickle.PicklingError), match=f"Can't (pickle|get) .*{name}"):
                pickle.dumps(thing)


def test_a_lambda_with_several_outputs_has_a_result(ta: ModuleType) -> None:
    result = ta.indicator(outputs=("a", "b"))(lambda o, x: (x, -x))(HIGH)
    assert type(result).__name__ == "LambdaResult"
    assert_array_equal(result.b, np.negative(HIGH))


class Big:
    """What functions of the user's close over."""


@pytest.mark.parametrize("used", [False, True])
def test_indicators_that_are_dropped_are_freed(ta: ModuleType, backend: str, used: bool) -> None:
    def make(i: int) -> tuple[Any, list[Any]]:
        big = Big()

        def calculate(o: Any, close: Any, n: int = i + 1) -> Any:
            assert big is not None
            return o.mean(close, n), o.lag(close, n)

        own = ta.indicator(outputs=("a", "b"))(calculate)
        return own, [weakref.ref(calculate), weakref.ref(big), weakref.ref(own)]

    made = [make(i) for i in range(50)]
    if used:
        for one, _ in made:
            definition = one(2)
            definition.live(HIGH).update(3.0)
            definition(np.array(HIGH), nan="talib")
            ta.Plan(own=definition)({"close": HIGH})
            one(HIGH, n=1)
        del definition
    references = [reference for _, references in made for reference in references]
    assert None not in [reference() for reference in references]
    one = None
    made.clear()
    gc.collect()
    assert [reference() for reference in references if reference() is not None] == []


def test_indicators_of_one_name_do_not_share_what_is_kept_of_them(ta: ModuleType) -> None:
    def made(default: int) -> Any:
        def own(o: Any, close: Any, n: int = default) -> Any:
            return o.mean(close, n)

        return indicators.indicator(own)

    two, three = made(2), made(3)
    assert two() != three()
    assert_array_equal(two(close=HIGH), ta.sma(HIGH, 2))
    assert_array_equal(three(close=HIGH), ta.sma(HIGH, 3))
