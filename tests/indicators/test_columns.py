"""Columns as services have them: empty, of nulls, of Decimals, of other names; and what an error says to write."""

from __future__ import annotations

import copy
import math
import pickle
import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from fastcore import indicators
from fastcore.indicators import ATR, MACD, OBV, RSI, SMA, Plan
from tests.indicators.arrays import assert_array_equal
from tests.indicators.cases import DEFAULTS, Case, call
from tests.indicators.turns import in_turn

D = Decimal
OHLCV = ["open", "high", "low", "close", "volume"]

EMPTY = {
    "a column of an empty frame": lambda: pd.DataFrame(columns=OHLCV)["close"],
    "pandas objects": lambda: pd.Series([], dtype=object),
    "pandas floats": lambda: pd.Series([], dtype=float),
    "pandas text": lambda: pd.Series([], dtype="str"),
    "polars nulls": lambda: pl.Series("close", []),
    "polars floats": lambda: pl.Series("close", [], dtype=pl.Float64),
    "polars Decimals": lambda: pl.Series("close", [], dtype=pl.Decimal(10, 2)),
}


@pytest.mark.parametrize("make", EMPTY.values(), ids=list(EMPTY))
@in_turn("case", DEFAULTS)
def test_an_empty_column_gives_an_empty_result(ta: ModuleType, case: Case, make: Any) -> None:
    column = make()
    for output in call(getattr(ta, case.row.name), case, [column for _ in case.row.inputs]):
        assert type(output) is type(column)
        assert len(output) == 0
        assert np.asarray(output).dtype == np.float64


def test_an_empty_frame_gives_an_empty_result(ta: ModuleType) -> None:
    plan = Plan(rsi=RSI(14), macd=MACD(), atr=ATR())
    for frame in (pd.DataFrame(columns=OHLCV), pl.DataFrame({name: [] for name in OHLCV})):
        result = plan(frame)
        assert type(result) is type(frame)
        assert result.shape == (0, 5)


NUMBERS = {
    "None": (lambda: pd.Series([None] * 3), [math.nan] * 3),
    "NA": (lambda: pd.Series([pd.NA] * 3, dtype=object), [math.nan] * 3),
    "None as text": (lambda: pd.Series([None] * 3, dtype="str"), [math.nan] * 3),
    "polars nulls": (lambda: pl.Series([None] * 3), [math.nan] * 3),
    "Decimals": (lambda: pd.Series([D("1.10"), None, D("NaN"), D("1e400"), D("-0.5")]), [1.1, *[math.nan] * 3, -0.5]),
    "signalling": (lambda: pd.Series([D("sNaN"), D("2")]), [math.nan, 2.0]),
    "objects of several kinds": (
        lambda: pd.Series([1, 2.5, D("3"), Fraction(1, 4), np.float32(0.5), np.int8(7), 10**400], dtype=object),
        [1.0, 2.5, 3.0, 0.25, 0.5, 7.0, math.nan],
    ),
    "polars Decimals": (lambda: pl.Series([D("1.10"), None, D("3.30")]), [1.1, math.nan, 3.3]),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_without_a_numpy_dtype(ta: ModuleType, name: str) -> None:
    make, expected = NUMBERS[name]
    assert_array_equal(np.asarray(ta.sma(make(), 1)), expected)
    frame = {"close": make()}
    frame_of = pl.DataFrame if isinstance(frame["close"], pl.Series) else pd.DataFrame
    assert_array_equal(np.asarray(Plan(sma=SMA(1))(frame_of(frame))["sma"]), expected)


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (pd.Series([D("1"), "2"]), "real: expected numbers, got a Series of dtype object"),
        (pd.Series([1.0, True], dtype=object), "real: expected numbers, got a Series of dtype object"),
        (pd.Series([1.0, 2j], dtype=object), "real: expected numbers, got a Series of dtype object"),
        (pd.Series([pd.NaT, pd.Timestamp(0)]), "real: expected numbers, got a Series of dtype datetime64"),
        (pd.Series(["1"]), "real: expected numbers, got a Series of dtype str"),
        (pl.Series([True, None]), "real: expected numbers, got a Series of dtype Boolean"),
        (pl.Series([[1.0]]), "real: expected numbers, got a Series of dtype List(Float64)"),
    ],
)
def test_non_numeric_columns_are_refused(ta: ModuleType, column: Any, text: str) -> None:
    with pytest.raises(TypeError, match=re.escape(text)):
        ta.sma(column, 1)


# ---- the columns of a Plan ----

PRICES = {"Open": [1.0], "High": [1.0], "Low": [1.0], "Close": [1.0], "Adj Close": [1.0], "Volume": [1.0]}


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame, dict])
@pytest.mark.parametrize(
    ("plan", "names", "text"),
    [
        (
            Plan(rsi=RSI(14)),
            ["Open", "Close"],
            "bars: expected columns close, got no close; there are Open, Close: "
            "write rsi=RSI(timeperiod=14, real='Close'), or rename the columns",
        ),
        (
            Plan(rsi=RSI(14)),
            ["Adj Close", "Volume"],
            "bars: expected columns close, got no close; there are Adj Close, Volume: "
            "write rsi=RSI(timeperiod=14, real='Adj Close'), or rename the columns",
        ),
        (
            Plan(obv=OBV(), atr=ATR(5)),
            ["High", "Low", "Close", "Adj Close", "Volume"],
            "bars: expected columns close, volume, high, low, got no close, volume, high, low; there are High, Low, "
            "Close, Adj Close, Volume: write obv=OBV(real='Close', volume='Volume'), or rename the columns",
        ),
        (
            Plan(sma=SMA(3, real="Close")),
            ["Open"],
            "bars: expected columns Close, got no Close; there are Open",
        ),
    ],
)
def test_a_missing_column_error_lists_the_columns_and_the_fix(frame: Any, plan: Plan, names: Any, text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        plan(frame({name: PRICES[name] for name in names}))


def test_a_duplicate_column_is_refused(ta: ModuleType) -> None:
    frame = pd.DataFrame(np.ones((5, 3)), columns=["close", "volume", "close"])
    with pytest.raises(ValueError, match=r"^bars: expected one column close, got 2$"):
        Plan(rsi=RSI(3))(frame)
    assert len(Plan(sma=SMA(3, real="volume"))(frame)) == 5


def test_the_suggested_fix_works(ta: ModuleType) -> None:
    frame = pd.DataFrame({"Close": np.arange(20.0)})
    with pytest.raises(ValueError, match="bars") as caught:
        Plan(rsi=RSI(3))(frame)
    written = re.search(r"write rsi=(.*), or rename", str(caught.value))
    assert written is not None
    assert len(Plan(rsi=eval(written[1], vars(ta)))(frame)) == 20


def test_a_history_raises_the_same_error() -> None:
    text = "history: expected columns close, got no close; there are Close: write rsi=RSI(timeperiod=2, real='Close')"
    with pytest.raises(ValueError, match=re.escape(text)):
        Plan(rsi=RSI(2)).live(history={"Close": np.ones((2, 3))})


def test_long_column_lists_are_shortened() -> None:
    with pytest.raises(ValueError, match=r"there are c0, c1, .*, c19 and 480 more$"):
        Plan(rsi=RSI(2))({f"c{i}": [1.0] for i in range(500)})


# ---- columns of several levels, as yfinance gives them ----


def tickers(names: list[str], columns: tuple[str, ...] = ("Close", "High", "Low", "Volume")) -> pd.DataFrame:
    index = pd.MultiIndex.from_product([columns, names], names=["Price", "Ticker"])
    values = np.random.default_rng(0).normal(100.0, 1.0, (30, len(index)))
    return pd.DataFrame(values, pd.date_range("2024-01-01", periods=30), index)


PLAN = Plan(sma=SMA(3, real="Close"), obv=OBV(real="Close", volume="Volume"))


@pytest.mark.parametrize("shape", [lambda f: f, lambda f: f.swaplevel(axis=1)], ids=["price first", "ticker first"])
def test_the_columns_of_one_ticker(ta: ModuleType, shape: Any) -> None:
    frame = shape(tickers(["MSFT"]))
    before = frame.copy()
    result = PLAN(frame)
    flat = tickers(["MSFT"]).droplevel("Ticker", axis=1)
    pd.testing.assert_frame_equal(result, PLAN(flat))
    assert_array_equal(result["sma"], ta.sma(flat["Close"], 3))
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize("level", [1, 0])
def test_the_columns_of_several_tickers_are_refused_with_what_to_write(level: int) -> None:
    frame = tickers(["MSFT", "AAPL"])
    frame = frame if level == 1 else frame.swaplevel(axis=1)
    text = (
        "bars: expected the columns of one ticker, got those of 'MSFT', 'AAPL': for one of them write "
        f"frame.xs('MSFT', axis=1, level={level})"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        PLAN(frame)
    assert len(PLAN(frame.xs("MSFT", axis=1, level=level))) == 30


def test_columns_of_several_levels_that_lack_one() -> None:
    text = "bars: expected columns close, got no close; there are Close, High, Low, Volume: write rsi=RSI(timeperiod=14"
    with pytest.raises(ValueError, match=re.escape(text)):
        Plan(rsi=RSI(14))(tickers(["MSFT"]))


# ---- called as TA-Lib is ----

HABITS: dict[str, tuple[Any, str]] = {
    "positional": (
        lambda ta, x: ta.RSI(x, 14),
        "RSI: expected parameters, got data: write rsi(close, 14) or RSI(14)(close)",
    ),
    "named": (
        lambda ta, x: ta.SMA(x, timeperiod=14),
        "SMA: expected parameters, got data: write sma(close, timeperiod=14) or SMA(timeperiod=14)(close)",
    ),
    "defaults": (lambda ta, x: ta.MACD(x), "MACD: expected parameters, got data: write macd(close) or MACD()(close)"),
    "several": (
        lambda ta, x: ta.ATR(x, x, x, 14),
        "ATR: expected parameters, got data: write atr(high, low, close, 14) or ATR(14)(high, low, close)",
    ),
    "by the name of the input": (
        lambda ta, x: ta.SMA(5, real=x),
        "SMA: expected parameters, got data: write sma(close, 5) or SMA(5)(close)",
    ),
}


@pytest.mark.parametrize("habit", HABITS)
@pytest.mark.parametrize("data", [np.ones(50), [1.0] * 50, pd.Series(np.ones(50)), pl.Series(np.ones(50))], ids=type)
def test_a_definition_called_with_data_suggests_the_function(ta: ModuleType, habit: str, data: Any) -> None:
    act, text = HABITS[habit]
    with pytest.raises(TypeError, match=f"^{re.escape(text)}$"):
        act(ta, data)


FRAME = pd.DataFrame(dict.fromkeys(("Open", "High", "Low", "Close", "Volume"), np.ones(60)))
CLOSE = FRAME["Close"]
ELSEWHERE: dict[str, tuple[Callable[[Any], object], str]] = {
    # pandas_ta and ta
    "length": (lambda ta: ta.rsi(CLOSE, length=14), "did you mean timeperiod?"),
    "length of another": (lambda ta: ta.stoch(CLOSE, CLOSE, CLOSE, length=5), "did you mean fastk_period?"),
    "window": (lambda ta: ta.RSI(window=14), "did you mean timeperiod?"),
    "close=": (lambda ta: ta.rsi(close=CLOSE), "did you mean real?"),
    "fast": (lambda ta: ta.macd(CLOSE, fast=12, slow=26), "did you mean fastperiod?"),
    "std": (lambda ta: ta.bbands(CLOSE, 20, std=2), "did you mean nbdevup?"),
    "misspelt there": (lambda ta: ta.rsi(CLOSE, lenght=14), "did you mean timeperiod?"),
    "misspelt": (lambda ta: ta.rsi(CLOSE, timperiod=14), "did you mean timeperiod?"),
    "a frame": (lambda ta: ta.rsi(FRAME), "write rsi(frame['Close'], 14)"),
    "a frame of polars": (lambda ta: ta.sma(pl.DataFrame({"close": [1.0]})), "write sma(frame['close'], 30)"),
    "a frame for three inputs": (
        lambda ta: ta.atr(FRAME),
        "write atr(frame['High'], frame['Low'], frame['Close'], 14)",
    ),
    "a frame for a definition": (lambda ta: ta.RSI(14)(FRAME), "write rsi(frame['Close'], 14)"),
    "a column first": (lambda ta: ta.RSI("Close", 14), "write RSI(14, real='Close')"),
    "parameters first": (lambda ta: ta.sma(20, CLOSE), "the data come first: write sma(close, 30)"),
    "a parameter alone": (lambda ta: ta.rsi(14), "for a definition write RSI(14)"),
    "a class of ta": (lambda ta: ta.RSIIndicator(CLOSE, 14), "write rsi(close, 14)."),
    "another class of ta": (lambda ta: ta.BollingerBands(CLOSE), "write bbands(close, 20)."),
    "a module of ta": (lambda ta: ta.momentum.rsi(CLOSE), "write rsi(close, 14), without a module."),
    "a strategy": (lambda ta: ta.Strategy("mine"), "write Plan(rsi=RSI(14), macd=MACD())(frame)."),
    # TA-Lib
    "abstract": (lambda ta: ta.abstract.RSI(FRAME), "write Plan(rsi=RSI(14))(frame)."),
    "stream": (lambda ta: ta.stream_RSI(CLOSE), "write RSI(14).live(close)"),
    "MA": (lambda ta: ta.MA(CLOSE, 30), "write ma(close, 30) or MA(30)(close)"),
    "an output of TA-Lib": (lambda ta: ta.bbands(CLOSE).upperband, "did you mean upper?"),
    "an output of pandas_ta": (lambda ta: ta.macd(CLOSE).histogram, "did you mean hist?"),
    "an unknown output": (lambda ta: ta.macd(CLOSE).zzz, "the outputs are macd, signal, hist"),
    "only in TA-Lib": (lambda ta: ta.cdldoji(CLOSE), "others are in TA-Lib, as talib.CDLDOJI"),
    "nowhere": (lambda ta: ta.zzzz(CLOSE), "others are in TA-Lib"),
}


@pytest.mark.parametrize("what", ELSEWHERE)
def test_a_habit_from_another_library_is_answered_with_what_to_write(ta: ModuleType, what: str) -> None:
    act, text = ELSEWHERE[what]
    with pytest.raises((TypeError, ValueError, AttributeError)) as raised:
        act(ta)
    assert text in str(raised.value)


def test_a_result_can_be_copied_and_pickled() -> None:
    result = indicators.macd(CLOSE)
    assert pickle.loads(pickle.dumps(result))._fields == copy.copy(result)._fields == ("macd", "signal", "hist")


def test_an_unknown_indicator_error_lists_the_known_ones(ta: ModuleType) -> None:
    with pytest.raises(
        AttributeError, match=r"has no attribute 'cdldoji'; the indicators are sma, ema, .*talib\.CDLDOJI$"
    ):
        ta.cdldoji  # noqa: B018
    with pytest.raises(AttributeError, match=r"has no attribute 'Bbandz'; did you mean bbands\?"):
        ta.Bbandz  # noqa: B018
    with pytest.raises(AttributeError, match=r"has no attribute 'ris'; did you mean rsi\?$"):
        ta.ris  # noqa: B018
    assert not hasattr(ta, "_private")
