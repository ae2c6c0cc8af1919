"""The compiled callable with a misbehaving `bind` or caller: it returns or raises."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fastcore import _env, _ext
from tests.indicators.arrays import assert_allclose, assert_array_equal

if _env.boolean("FASTCORE_NO_EXTENSIONS"):
    pytest.skip("the pure suite", allow_module_level=True)

core: Any = _ext.load("indicators")
X = np.arange(50.0)
SMA = ("sma", ("real",), (("timeperiod", "int", 30, 1, 100000),))
MACD_PARAMS = tuple((name, "int", value, 1, 100000) for name, value in (("fast", 12), ("slow", 26), ("signal", 9)))
Three = namedtuple("Three", ["macd", "signal", "hist"])


class Asked(Exception):
    """What the binder of these tests raises: the call did not take the fast path."""


def ask(args: Any, kwargs: Any) -> Any:
    raise Asked(args, kwargs)


def sma(bind: Callable[..., Any] = ask) -> Any:
    return core.function(*SMA, None, bind)


class Sub(np.ndarray):  # type: ignore[type-arg]
    pass


def test_plain_calls_do_not_call_the_binder() -> None:
    function = sma()
    wanted = core.batch("sma", (30.0,), (X,))[0]
    calls = [(X,), (X, 30)]
    for got in [function(*args) for args in calls] + [function(real=X), function(X, timeperiod=30)]:
        assert_array_equal(got, wanted)
    assert function(timeperiod=30, real=X[None]).shape == (1, 50)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((), {}),
        ((X, 30, 1), {}),
        ((X,), {"period": 3}),
        ((X,), {"real": X}),
        ((X, 3), {"timeperiod": 3}),
        ((X, True), {}),
        ((X, 3.0), {}),
        ((X, 0), {}),
        ((X, 100001), {}),
        ((X, 10**30), {}),
        ((X, None), {}),
        ((None,), {}),
        (([1.0],), {}),
        ((X.view(Sub),), {}),
        ((X.astype("f4"),), {}),
        ((X.astype(">f8"),), {}),
        ((X[::2],), {}),
        ((np.array(1.0),), {}),
        ((X.reshape(2, 5, 5),), {}),
        ((np.frombuffer(bytes(8 * 9 + 1), "u1")[1:].view("f8"),), {}),
    ],
)
def test_other_calls_reach_the_binder_unchanged(args: Any, kwargs: Any) -> None:
    with pytest.raises(Asked) as raised:
        sma()(*args, **kwargs)
    got_args, got_kwargs = raised.value.args
    assert len(got_args) == len(args)
    assert all(one is two for one, two in zip(got_args, args))
    assert got_kwargs.keys() == kwargs.keys()


@pytest.mark.parametrize(
    "answer",
    [
        None,
        (),
        ([X], (3.0,), None),
        ((X,), [3.0], None),
        ((X,), (3.0,)),
        ((X, X), (3.0,), None),
        (([1.0],), (3.0,), None),
        ((X[::2],), (3.0,), None),
        ((X.reshape(2, 5, 5),), (3.0,), None),
        ((np.array(1.0),), (3.0,), None),
        ((X,), (), None),
        ((X,), ("3",), None),
        ((X,), (0.0,), None),
        ((X,), (2.5,), None),
        ((X,), (float("nan"),), None),
        ((X,), (1e300,), None),
        ((X,), (3.0,), 7),
    ],
)
def test_an_invalid_result_of_the_binder_is_an_error(answer: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        sma(lambda args, kwargs: answer)(None)


def test_finish_gets_a_tuple_and_its_errors_pass() -> None:
    seen = []
    function = sma(lambda args, kwargs: ((X,), (3.0,), lambda outputs: seen.append(outputs) or "done"))
    assert function("anything") == "done"
    assert type(seen[0]) is tuple
    assert_array_equal(seen[0][0], core.batch("sma", (3.0,), (X,))[0])

    def broken(outputs: Any) -> Any:
        raise Asked

    with pytest.raises(Asked):
        sma(lambda args, kwargs: ((X,), (3.0,), broken))(None)


def test_several_outputs_are_returned_in_the_given_class() -> None:
    function = core.function("macd", ("real",), MACD_PARAMS, Three, ask)
    got = function(np.arange(60.0))
    assert type(got) is Three
    assert got._fields == ("macd", "signal", "hist")
    assert type(core.function("macd", ("real",), MACD_PARAMS, None, ask)(np.arange(60.0))) is tuple
    with pytest.raises(TypeError):
        hash(got)


@pytest.mark.parametrize(
    "arguments",
    [
        ("nothing", ("real",), (), None, ask),
        (7, ("real",), (), None, ask),
        ("sma", (), SMA[2], None, ask),
        ("sma", ["real"], SMA[2], None, ask),
        ("sma", (3,), SMA[2], None, ask),
        ("sma", ("real",), (), None, ask),
        ("sma", ("real",), (("timeperiod",),), None, ask),
        ("sma", ("real",), (("timeperiod", "float", 30, 1, 9),), None, ask),
        ("sma", ("real",), (("timeperiod", "int", "30", 1, 9),), None, ask),
        ("sma", ("real",), SMA[2], dict, ask),
        ("sma", ("real",), SMA[2], 7, ask),
        ("sma", ("real",), SMA[2], None, None),
    ],
)
def test_invalid_function_specifications_are_refused(arguments: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        core.function(*arguments)


def test_out_of_range_parameters_do_not_reach_the_kernel() -> None:
    function = core.function("sma", ("real",), (("timeperiod", "int", -5, -1e300, 1e300),), None, ask)
    for args in [(X,), (X, 0), (X, -3), (X, 2**62)]:
        with pytest.raises(Asked):
            function(*args)


def test_binding_may_call_the_function_again_or_drop_it() -> None:
    def again(args: Any, kwargs: Any) -> Any:
        return (function(X, 3),), (2.0,), None

    function = sma(again)
    assert function(None).shape == X.shape
    held = [sma(lambda args, kwargs: held.clear() or ((X,), (3.0,), None))]
    assert held[0](None).shape == X.shape


def test_references_are_released() -> None:
    function = sma()
    array = np.arange(100.0)
    before = sys.getrefcount(array)
    for _ in range(100):
        function(array, 3)
        with pytest.raises(Asked):
            function(array, "3")
    assert sys.getrefcount(array) == before


def test_a_cycle_through_the_binder_is_collected() -> None:
    class Binder:
        function: Any

        def __call__(self, args: Any, kwargs: Any) -> Any:
            return None

    binder = Binder()
    binder.function = sma(binder)
    binder.function.note = binder
    gone = weakref.ref(binder.function)
    del binder
    gc.collect()
    assert gone() is None


def test_no_memory_is_an_error() -> None:
    with pytest.raises((MemoryError, ValueError)):
        core.Board([("sma", (1e8,), ("close",))], 10**8)
    with pytest.raises((MemoryError, OverflowError)):
        core.Board([("sma", (3.0,), ("close",))], 2**62)


def test_threads_share_one_function() -> None:
    function, wanted = sma(), core.batch("sma", (9.0,), (np.arange(20000.0),))[0]
    wrong: list[int] = []

    def work() -> None:
        x = np.arange(20000.0)
        for _ in range(50):
            if not np.array_equal(function(x, 9), wanted, equal_nan=True):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_large_outputs_own_their_memory() -> None:
    x = np.arange(200_000.0)
    small, large = (core.function("macd", ("real",), MACD_PARAMS, Three, ask)(x[:n]) for n in (150, 200_000))
    for one, two in zip(small, large):
        assert_allclose(one, two[:150], rtol=1e-12, atol=1e-12)
        assert two.flags.c_contiguous
        assert two.flags.writeable
    kept = large.signal
    wanted = kept.copy()
    large.macd[:] = 0.0
    del large
    gc.collect()
    assert_array_equal(kept, wanted)


def test_inputs_that_another_thread_changes_stay_within_bounds() -> None:
    from fastcore._ext import indicators as compiled

    gaps, stop = np.full(1_000_000, np.nan), threading.Event()

    def change() -> None:
        while not stop.is_set():
            gaps[:] = np.nan
            gaps[:] = 1.5

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(30):
            (out,) = compiled.batch("ema", (5.0,), (gaps,))
            assert out.shape == gaps.shape
    finally:
        stop.set()
        thread.join()


def test_arrays_for_the_outputs_go_past_the_binder() -> None:
    out = np.zeros(50)
    assert sma()(X, 5, out=out) is out
    assert_array_equal(out, core.batch("sma", (5.0,), (X,))[0])
    for other in (np.zeros(49), np.zeros(50, "f4"), X, X[:0], [0.0], (out,), np.zeros(50).view(Sub)):
        with pytest.raises(Asked):
            sma()(X, 5, out=other)
    macd = core.function("macd", ("real",), MACD_PARAMS, Three, ask)
    arrays = tuple(np.zeros(50) for _ in range(3))
    for given, passes in ((arrays, True), (arrays[:2], False), (list(arrays), False), ((out, out, out), False)):
        if passes:
            assert all(a is b for a, b in zip(macd(X, out=given), arrays))
        else:
            with pytest.raises(Asked):
                macd(X, out=given)


@pytest.mark.parametrize("own", [7, (), (X,), (np.zeros(3),), (np.zeros(50), np.zeros(50)), [np.zeros(50)], (None,)])
def test_invalid_arrays_of_the_binder_are_an_error(own: Any) -> None:
    with pytest.raises(TypeError, match="bind: expected 1 arrays of their own"):
        sma(lambda args, kwargs: ((X,), (3.0,), None, own))(None)
