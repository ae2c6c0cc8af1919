"""The plain services against TA-Lib, and the optimised ones against the plain."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from examples.market_desk.optimised import BoardMonitor, calculate_indicators
from examples.market_desk.plain.technical_indicator_service import COLUMNS, TechnicalIndicatorService
from examples.market_desk.price_monitor_service import PriceMonitorService
from examples.market_desk.prices import FIELDS, SYMBOLS, Market, load_market
from examples.market_desk.report_service import ReportService
from examples.market_desk.signal_generator_service import SignalGeneratorService
from examples.market_desk.table import apart
from fastcore import flags

pytestmark = pytest.mark.backend_independent


@pytest.fixture(scope="module")
def market() -> Market:
    return load_market()


def test_market_is_what_bokeh_sampledata_holds(market: Market) -> None:
    assert market.dates[0] == "2000-03-01"
    assert market.dates[-1] == "2013-03-01"
    assert market.dates[market.all_listed] == "2012-05-18"  # the day FB was listed
    apple = market.frame("AAPL")
    assert list(apple.columns) == list(FIELDS)
    assert apple.loc["2000-03-01", "close"] == 130.31
    assert len(market.frame("FB")) == 196
    assert len(market.frame("FB", stop=market.all_listed)) == 0


@pytest.mark.parametrize("bars", [0, 1, 14, 34, 250, 3270])
def test_plan_gives_what_pandas_gives(market: Market, backend: str, bars: int) -> None:
    df = market.frame("MSFT").iloc[:bars]
    with flags.override("indicators", backend):
        fast = calculate_indicators(df)
    plain = TechnicalIndicatorService().calculate_indicators(df)
    assert list(fast.columns) == list(plain.columns)
    assert fast.index.equals(plain.index)
    np.testing.assert_allclose(fast.to_numpy(), plain.to_numpy(), rtol=1e-8, atol=1e-8)


def test_board_gives_what_recomputing_gives(market: Market, backend: str) -> None:
    first = market.all_listed
    plain = PriceMonitorService(market, TechnicalIndicatorService().calculate_indicators, first - 60)
    days = [first, first + 1, first + 2, first + 40, first + 41, first, first + 1]  # jumps are a replay starting again
    with flags.override("indicators", backend):
        board = BoardMonitor(market, first - 60)
        for day in days:
            found, expected = asyncio.run(board.on_tick(day)), plain.recompute(day)
            assert list(found) == list(SYMBOLS)
            for symbol in SYMBOLS:
                assert list(found[symbol]) == list(COLUMNS)
                worst = max(apart(found[symbol][column], expected[symbol][column]) for column in COLUMNS)
                assert worst < 1e-9, (day, symbol)


def test_report_is_the_same_from_either_calculation(market: Market, backend: str) -> None:
    plain = ReportService(market, TechnicalIndicatorService().calculate_indicators).generate(["IBM", "FB"])
    with flags.override("indicators", backend):
        fast = ReportService(market, calculate_indicators).generate(["IBM", "FB"])
    years = [section["year"] for section in plain["sections"]["IBM"]]
    assert years == [str(year) for year in range(2000, 2014)]
    assert [section["days"] for section in plain["sections"]["FB"]] == [155, 41]  # counted in the source file
    assert plain["correlation"]["IBM"]["IBM"] == pytest.approx(1)
    for symbol in ("IBM", "FB"):
        for slow, quick in zip(plain["sections"][symbol], fast["sections"][symbol], strict=True):
            assert quick.pop("year") == slow.pop("year")
            assert quick.keys() == slow.keys()
            assert max(apart(quick[name], slow[name]) for name in slow) < 1e-9


def test_signals_follow_from_the_indicators() -> None:
    generate = SignalGeneratorService().generate_signals
    assert generate(10.0, {}) == []
    assert generate(10.0, {"rsi": None, "sma": None}) == []
    hot = {"rsi": 75.0, "macd_hist": 0.1, "sma": 9.0, "bb_upper": 9.5, "bb_lower": 8.0}
    assert generate(10.0, hot) == ["overbought", "momentum up", "above average", "above upper band"]
    cold = {"rsi": 20.0, "macd_hist": -0.1, "sma": 11.0, "bb_upper": 12.0, "bb_lower": 10.5}
    assert generate(10.0, cold) == ["oversold", "momentum down", "below average", "below lower band"]
