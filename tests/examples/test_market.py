"""The market of the desk: real bars, bootstrapped ones, and prices that move."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from bokeh_sampledata import stocks

from examples.market_desk.data.feed import PriceFeed
from examples.market_desk.data.market import HISTORY, Market, UnknownSymbol
from examples.market_desk.data.sources import daily_bars, minute_bars
from examples.market_desk.data.store import Store
from examples.market_desk.data.universe import Paths, Universe

pytestmark = pytest.mark.backend_independent


@pytest.fixture(scope="module")
def universe() -> Universe:
    return Universe.load()


@pytest.fixture
def market(universe: Universe) -> Market:
    return Market(universe, clock=lambda: 1000.0)


def test_the_universe_has_500_symbols_and_says_which_are_bootstrapped(universe: Universe) -> None:
    real = [symbol for symbol, origin in universe.origin.items() if origin == "real"]
    assert len(universe.symbols) == len(set(universe.symbols)) == 500
    assert real == ["AAPL", "IBM", "MSFT", "GOOG", "FB", *minute_bars()]
    assert set(universe.origin.values()) == {"real", "bootstrapped"}


@pytest.mark.parametrize("symbol", ["AAPL", "IBM", "MSFT"])
def test_real_symbols_have_the_prices_of_the_sample_data(universe: Universe, symbol: str) -> None:
    market = Market(universe)
    table = getattr(stocks, symbol)
    frame = market.frame(symbol, HISTORY)
    for field in ("open", "high", "low", "close", "volume"):
        np.testing.assert_allclose(frame[field], table[field][1 : HISTORY + 1], atol=0.011)  # some have three decimals


def test_bootstrapped_bars_are_made_of_real_returns(universe: Universe) -> None:
    paths = Paths(universe)
    real = len(universe.spans)
    before = paths.step()[3]
    known = np.sort(universe.moves[:, 3])
    for _ in range(50):
        close = paths.step()[3]
        moves = np.log(close[real:] / before[real:])
        near = known[np.clip(np.searchsorted(known, moves), 1, len(known) - 1)]
        assert np.abs(near - moves).max() < 0.01  # less the mean return, and rounded to cents
        before = close


def test_every_bar_has_its_prices_in_order(market: Market) -> None:
    _, _, panel = market.panel(HISTORY)
    assert (panel["low"] > 0).all()
    for field in ("open", "close"):
        assert (panel["low"] <= panel[field]).all()
        assert (panel[field] <= panel["high"]).all()


def test_the_same_seed_gives_the_same_prices(universe: Universe) -> None:
    first, second = Market(universe), Market(universe)
    for market in (first, second):
        market.advance(1.0)
    np.testing.assert_array_equal(first.panel(HISTORY)[2]["close"], second.panel(HISTORY)[2]["close"])


def test_a_table_keeps_its_values_while_the_market_moves(market: Market) -> None:
    table = market.frame("IBM", 50)
    _, _, panel = market.panel(50)
    kept, close = table.copy(), panel["close"].copy()
    for n in range(2 * HISTORY + 5):
        market.advance(float(n))
    assert table.equals(kept)
    np.testing.assert_array_equal(panel["close"], close)
    assert table.attrs == {"symbol": "IBM", "bar": HISTORY - 1, "at": 1000.0, "origin": "real"}
    newest = market.frame("IBM", 2)
    assert market.bar == newest.attrs["bar"] == 3 * HISTORY + 4
    assert list(newest["time"]) == ["2013-03-02T15:33", "2013-03-02T15:34"]  # minutes since 09:30 the day before


def test_quotes_are_the_newest_closes(market: Market) -> None:
    (quote,) = market.quotes(["BS001"])
    close = market.frame("BS001", 2)["close"]
    assert (quote.price, quote.bar, quote.at, quote.origin) == (close.iloc[1], HISTORY - 1, 1000.0, "bootstrapped")
    assert quote.change == pytest.approx(close.iloc[1] / close.iloc[0] - 1, abs=1e-6)
    assert [quote.symbol for quote in market.quotes()] == list(market.symbols)
    with pytest.raises(UnknownSymbol, match="got 'ZZZ'"):
        market.quotes(["ZZZ"])


def test_the_feed_appends_a_bar_each_period_and_says_so(market: Market) -> None:
    seen: list[tuple[int, float]] = []
    enough = threading.Event()

    def on_bar() -> None:
        seen.append((market.bar, market.at))
        if len(seen) == 3:
            enough.set()

    feed = PriceFeed(market, on_bar, period=0.05)
    feed.start()
    assert enough.wait(60)
    feed.stop()
    assert feed.failure is None
    for bar, at in seen:
        assert at == pytest.approx(round(at / 0.05) * 0.05)
        assert bar >= HISTORY
    assert sorted(set(seen)) == seen


def test_what_a_feed_calls_may_fail_and_is_remembered(market: Market) -> None:
    raised = threading.Event()
    hook, threading.excepthook = threading.excepthook, lambda arguments: raised.set()
    try:
        feed = PriceFeed(market, lambda: 1 / 0, period=0.01)
        feed.start()
        assert raised.wait(60)
        feed.stop()
    finally:
        threading.excepthook = hook
    assert isinstance(feed.failure, ZeroDivisionError)


def test_stored_rows_are_kept_once() -> None:
    store = Store()
    assert store.insert("reports", [(1, "AAPL", "a"), (1, "AAPL", "b"), (2, "AAPL", "c")]) == 2
    assert store.insert("reports", []) == 0
    assert store.select("SELECT html FROM reports ORDER BY bar") == [("a",), ("c",)]
    assert store.delete("DELETE FROM reports WHERE bar < ?", (2,)) == 1
    store.close()


def test_daily_bars_are_whole(universe: Universe) -> None:
    bars = daily_bars()
    assert {symbol: len(rows) for symbol, rows in bars.items()} == {
        symbol: len(getattr(stocks, symbol)["close"]) for symbol in bars
    }
    with pytest.raises(ValueError, match="got 3"):
        Universe.load(3)
