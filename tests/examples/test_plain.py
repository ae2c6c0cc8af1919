"""The plain services: their results, and that they know nothing of fastcore."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import talib

pytest.importorskip("feedparser")

from examples.market_desk.data.market import HISTORY, Market
from examples.market_desk.plain.services import Services
from examples.market_desk.plain.signal_generator_service import SignalGeneratorService
from examples.market_desk.plain.technical_indicator_service import COLUMNS, TechnicalIndicatorService
from tests.examples.news_host import feed, news_host, page

pytestmark = pytest.mark.backend_independent

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def services() -> Services:
    return Services(Market(clock=lambda: 1000.0), feeds=[])


@pytest.mark.parametrize("arm", ["plain", "tuned"])
def test_nothing_of_fastcore_is_imported(arm: str) -> None:
    if not (ROOT / "examples" / "market_desk" / arm / "app.py").exists():
        pytest.skip(f"there is no {arm}")
    code = (
        f"import sys; from examples.market_desk.{arm}.app import build_app; build_app(running=False);"
        "print([name for name in sys.modules if name.startswith(('fastcore', 'python_fallback'))])"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize("symbol", ["AAPL", "FB", "BS001", "BS494"])
def test_indicators_are_those_of_talib(services: Services, symbol: str) -> None:
    df = services.market.frame(symbol, HISTORY)
    high, low, close, volume = (df[name].to_numpy() for name in ("high", "low", "close", "volume"))
    expected = (
        talib.SMA(close, 20),
        talib.EMA(close, 20),
        talib.RSI(close, 14),
        *talib.MACD(close, 12, 26, 9),
        *talib.BBANDS(close, 20, 2.0, 2.0),
        talib.ATR(high, low, close, 14),
        *talib.STOCH(high, low, close, 5, 3, 0, 3, 0),
        talib.OBV(close, volume),
        talib.STDDEV(close, 20, 1.0),
        talib.MIN(close, 20),
        talib.MAX(close, 20),
        talib.VWAP(high, low, close, volume),
    )
    found = TechnicalIndicatorService().calculate_indicators(df)
    assert tuple(found.columns) == COLUMNS
    for column, reference in zip(COLUMNS, expected, strict=True):
        np.testing.assert_allclose(found[column], reference, rtol=1e-8, atol=1e-8, err_msg=column)


FLAT = dict.fromkeys(COLUMNS, 10.0) | {"rsi": 50.0, "macd_hist": 0.0, "bb_upper": 12.0, "bb_lower": 8.0}


@pytest.mark.parametrize(
    ("closes", "before", "last", "action", "reasons"),
    [
        ((10.0, 10.0), {}, {}, "hold", []),
        ((9.0, 11.0), {}, {}, "buy", ["average crossed up", "above average"]),
        ((11.0, 9.0), {}, {}, "sell", ["average crossed down", "below average"]),
        ((10.0, 10.0), {}, {"macd": 11.0, "macd_hist": 1.0}, "buy", ["macd crossed up", "momentum up"]),
        ((10.0, 10.0), {}, {"stoch_k": 9.0}, "sell", ["stochastic crossed down"]),
        ((10.0, 10.0), {}, {"rsi": 20.0}, "buy", ["oversold"]),
        ((10.0, 10.0), {}, {"rsi": 80.0}, "sell", ["overbought"]),
        ((7.0, 7.0), {}, {}, "hold", ["below lower band", "below average"]),
        ((13.0, 13.0), {}, {}, "hold", ["above upper band", "above average"]),
        ((10.0, 10.0), {}, dict.fromkeys(COLUMNS, float("nan")), "hold", []),
    ],
)
def test_signals(
    closes: tuple[float, float], before: dict[str, float], last: dict[str, float], action: str, reasons: list[str]
) -> None:
    found = SignalGeneratorService().decide(closes, (100.0, 100.0), FLAT | before, FLAT | last)
    assert (found["action"], found["reasons"]) == (action, reasons)
    assert (found["strength"] > 0) == (action != "hold")


def test_confirmations_make_a_signal_stronger() -> None:
    decide = SignalGeneratorService().decide
    last = FLAT | {"ema": 10.5, "vwap": 9.0}
    strengths = [
        decide((9.0, 11.0), (100.0, 100.0), FLAT, FLAT | {"ema": 10.0, "vwap": 11.0})["strength"],
        decide((9.0, 11.0), (100.0, 100.0), FLAT, last)["strength"],
        decide((9.0, 11.0), (100.0, 200.0), FLAT, last)["strength"],
    ]
    assert strengths == [0.25, 0.75, 1.0]
    assert decide((9.0, 11.0), (100.0, 200.0), FLAT, last)["confirmations"] == ["volume", "trend", "vwap"]


def test_the_monitor_notes_jumps_and_left_bands(services: Services) -> None:
    services.monitor.on_bar()
    assert list(services.monitor.latest) == list(services.monitor.watched)
    expected = []
    for symbol in services.monitor.watched:
        df = services.market.frame(symbol, 250)
        close, last = df["close"], df["close"].tail(20)
        width = 2 * last.std(ddof=0)
        if abs(close.iloc[-1] / close.iloc[-2] - 1) > 0.05:
            expected.append((symbol, "jump"))
        if close.iloc[-1] > last.mean() + width:
            expected.append((symbol, "above upper band"))
        if close.iloc[-1] < last.mean() - width:
            expected.append((symbol, "below lower band"))
    assert [(alert["symbol"], alert["kind"]) for alert in services.monitor.alerts] == expected
    assert expected


def test_snapshots_are_kept_and_stored() -> None:
    services = Services(Market(clock=lambda: 1000.0), feeds=[])
    services.scheduler.run("snapshot")
    services.market.advance(1001.0)
    services.scheduler.run("snapshot")
    history = services.snapshots.history("BS001")
    assert [row["at"] for row in history] == [1000.0, 1001.0]
    assert history[1] == services.market.quotes(["BS001"])[0]._asdict()
    assert services.store.select("SELECT count(*) FROM snapshots") == [(1000,)]


class Tags(HTMLParser):
    """The elements of a page, which must be nested well."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_report_is_a_page_with_a_chart_for_each_symbol(services: Services) -> None:
    done: list[tuple[int, int]] = []
    report = services.reports.generate(["IBM", "BS001"], lambda at, total: done.append((at, total)))
    assert done == [(1, 2), (2, 2)]
    assert services.store.select("SELECT html FROM reports") == [(report["html"],)]
    tags = Tags()
    tags.feed(report["html"])
    assert tags.open == []
    assert (tags.seen.count("svg"), tags.seen.count("polyline")) == (4, 10)
    assert "BS001 (bootstrapped from real returns)" in report["html"]
    assert "IBM (bootstrapped" not in report["html"]
    (row, _) = report["rows"]
    close = services.market.frame("IBM", 500)["close"]
    moves = close.pct_change().dropna()
    assert row["return"] == pytest.approx(close.iloc[-1] / close.iloc[0] - 1)
    assert row["volatility"] == pytest.approx(np.std(moves, ddof=1) * 252**0.5)
    assert row["drawdown"] == pytest.approx(min(close[: n + 1].iloc[-1] / close[: n + 1].max() - 1 for n in range(500)))
    assert row["overbought"] == (talib.RSI(close.to_numpy(), 14) > 70).sum()


def test_collection_stores_every_symbol_and_tells_how_far_it_is() -> None:
    services = Services(Market(), feeds=[])
    assert services.scheduler.run("collect_prices") == {"symbols": 500, "bars": 30_000}
    assert services.scheduler.progress["collect_prices"] == {"state": "done", "done": 500, "total": 500}
    rows = services.store.select("SELECT time, close FROM bars WHERE symbol = 'FB' ORDER BY bar")
    expected = services.market.frame("FB", 60)[["time", "close"]]
    pd.testing.assert_frame_equal(pd.DataFrame(rows, columns=["time", "close"]), expected, check_names=False)
    assert services.scheduler.run("collect_prices")["bars"] == 0


def test_batch_analysis_goes_by_priority(services: Services) -> None:
    found = services.scheduler.batch_analysis({"IBM": 5, "FB": 0, "AAPL": 5})
    assert [analysis["symbol"] for analysis in found] == ["FB", "IBM", "AAPL"]
    assert found[1] == services.analysis.analyse("IBM", 250)


def test_a_job_that_fails_is_noted_and_cleaned_up_after(monkeypatch: pytest.MonkeyPatch) -> None:
    services = Services(Market(), feeds=[])
    services.scheduler.run("snapshot")
    for n in range(HISTORY + 1):
        services.market.advance(float(n))
    monkeypatch.setattr(services.provider, "fetch", lambda symbol, bars: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        services.scheduler.run("collect_prices")
    assert services.scheduler.progress["collect_prices"]["state"] == "failed"
    assert services.store.select("SELECT count(*) FROM snapshots") == [(0,)]


def test_both_sources_are_crawled() -> None:
    with news_host() as host:
        host.pages |= {"/rss": feed("IBM up"), "/news.html": page("FB down")}
        services = Services(Market(), feeds=[f"{host.url}/rss", f"{host.url}/news.html", f"{host.url}/none"])
        result = services.scheduler.run("crawl_news")
    assert result == {"new": 2, "failed": [{f"{host.url}/none": "expected 200, got 404"}, {}]}
    assert [item["symbols"] for item in services.yahoo.news("IBM") + services.investing.news("FB")] == ["IBM", "FB"]
