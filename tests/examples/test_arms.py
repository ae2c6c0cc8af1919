"""The three applications give the same answers, whatever flags are set."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Self

import httpx
import numpy as np
import pandas as pd
import pytest
from websockets.sync.client import connect

pytest.importorskip("feedparser")

from examples.market_desk.data.market import HISTORY
from examples.market_desk.data.store import Store
from examples.market_desk.fast import analysis
from examples.market_desk.fast.analysis import ACCURACY
from examples.market_desk.fast.app import build_app as build_fast
from examples.market_desk.fast.optimizations import FLAGS, choose
from examples.market_desk.fast.services import OptimizedServices
from examples.market_desk.fast.stream import Streaming, quote_of
from examples.market_desk.plain.app import build_app as build_plain
from examples.market_desk.plain.services import Services
from examples.market_desk.tuned.app import build_app as build_tuned
from examples.market_desk.tuned.services import TunedServices
from fastcore import flags, metrics
from fastcore.cache import get_cached_analysis
from fastcore.memory import frame_bytes
from fastcore.rollout import PerformanceComparisonTest
from fastcore.streaming import Client, install_hub
from tests.examples.arms import answers, difference, market, talk
from tests.examples.news_host import feed, news_host, page
from tests.streaming.running import Running

DESK = Path(__file__).resolve().parents[2] / "examples" / "market_desk"
HOT_PATHS = ("indicators", "cache", "framing", "heap")


@cache
def expected() -> dict[str, tuple[int, Any]]:
    return answers(build_plain(Services(market(), feeds=[]), running=False))


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    install_hub(None)
    choose("after")
    yield
    install_hub(None)
    for name in (*FLAGS, *HOT_PATHS):
        flags.clear(name)


def differences(found: dict[str, tuple[int, Any]], accuracy: float) -> dict[str, str]:
    every = {name: difference(answer, found[name], accuracy) for name, answer in expected().items()}
    return {name: said for name, said in every.items() if said}


def services(**options: Any) -> OptimizedServices:
    return OptimizedServices(market(), **{"feeds": [], **options})


@pytest.mark.backend_independent
def test_wrong_requests_are_answered_with_what_was_expected() -> None:
    found = expected()
    many = (422, {"detail": "symbols: expected at most 500, got 501"})
    assert found["a report of more symbols than there are"] == found["a batch of 501"] == many
    for name in ("NaN", "half a surrogate pair", "no JSON"):
        assert found[f"a report of {name}"][0] == 422
    status, body = found["an analysis of a long name"]
    assert status == 404
    assert len(body["detail"]) < 200


@pytest.mark.backend_independent
@pytest.mark.parametrize("arm", ["plain", "tuned", "fast"])
@pytest.mark.filterwarnings("error")
def test_no_two_routes_have_the_same_path(arm: str) -> None:
    apps: dict[str, Any] = {
        "plain": lambda: build_plain(Services(market(), feeds=[]), running=False),
        "tuned": lambda: build_tuned(TunedServices(market(), feeds=[]), running=False),
        "fast": lambda: build_fast(services(), running=False),
    }
    assert "/generate-report" in apps[arm]().openapi()["paths"]  # it warns of operations with one name


@pytest.mark.backend_independent
def test_tuned_gives_the_answers_of_plain() -> None:
    found = answers(build_tuned(TunedServices(market(), feeds=[]), running=False))
    assert differences(found, ACCURACY) == {}


def test_fast_gives_the_answers_of_plain(backend: str) -> None:
    for name in HOT_PATHS:
        flags.set(name, backend)
    found = answers(build_fast(services(), running=False))
    assert differences(found, ACCURACY) == {}


@pytest.mark.backend_independent
def test_fast_with_every_flag_off_gives_exactly_the_answers_of_plain() -> None:
    choose("before")
    assert differences(answers(build_fast(services(), running=False)), 0.0) == {}


@pytest.mark.backend_independent
@pytest.mark.parametrize("name", FLAGS)
def test_each_optimisation_can_be_off_alone_and_on_alone(name: str) -> None:
    flags.set(name, "control")
    assert differences(answers(build_fast(services(), running=False)), ACCURACY) == {}
    choose("before")
    flags.set(name, "candidate")
    assert differences(answers(build_fast(services(), running=False)), ACCURACY) == {}


@pytest.mark.parametrize("symbol", ["AAPL", "BS001"])
@pytest.mark.parametrize("bars", [50, 250, HISTORY])
def test_the_plan_gives_the_table_of_pandas(backend: str, symbol: str, bars: int) -> None:
    desk = services()
    df = desk.market.frame(symbol, bars)
    flags.set("indicators", backend)
    fast = desk.analysis.calculate_indicators(df)
    plain = desk.analysis.original_service.calculate_indicators(df)
    assert list(fast.columns) == list(plain.columns)
    np.testing.assert_allclose(fast.to_numpy(), plain.to_numpy(), rtol=ACCURACY, atol=1e-8)


def test_analyses_computed_ahead_are_those_that_are_asked_for(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    flags.set("indicators", backend)
    desk = services()
    monkeypatch.setattr("time.monotonic", lambda: 1e9)  # results are kept for two seconds: a busy machine takes longer
    asked = [(symbol, bars) for bars in (250, 100) for symbol in desk.market.symbols[:12]]
    for symbol, bars in asked:
        desk.analysis.analyse(symbol, bars)
    desk.market.advance(1001.0)
    assert desk.analysis.warm() == 2  # windows
    desk.analysis.analyse("BS007", 60)
    plain = desk.analysis.original_service
    before = desk.analysis.hits()
    assert all(desk.analysis.is_quick(symbol, 250) for symbol in desk.market.symbols)
    found = [desk.analysis.analyse(symbol, bars) for symbol, bars in asked]  # before the windows expire
    assert desk.analysis.is_quick("BS012", 250)  # of a window that many were asked of, every symbol
    after = desk.analysis.hits()
    for (symbol, bars), one in zip(asked, found):
        assert one["bar"] == desk.market.bar == HISTORY
        assert difference(plain.analyse(symbol, bars), one, ACCURACY) == ""
    assert difference(plain.analyse("BS012", 250), desk.analysis.analyse("BS012", 250), ACCURACY) == ""
    assert not desk.analysis.is_quick("BS012", 60)
    assert after["hits"] - before["hits"] >= len(asked) // 2
    assert after["misses"] - before["misses"] <= len(asked) // 2  # the second window, if there was no time for it
    assert desk.monitor.recompute().keys() == set(desk.monitor.watched)


@pytest.mark.backend_independent
def test_analyses_that_are_not_asked_for_any_more_are_forgotten() -> None:
    desk = services()
    for n in range(3 * analysis.STALE):
        desk.analysis.analyse("IBM", 100 + n)
        desk.market.advance(1001.0 + n)
    assert len(desk.analysis.recent) <= analysis.STALE


@pytest.mark.backend_independent
def test_rows_are_stored_as_they_are_made() -> None:
    alive, most = [0], 0

    class Row(tuple[Any, ...]):
        def __new__(cls, *values: Any) -> Self:
            nonlocal most
            alive[0] += 1
            most = max(most, alive[0])
            return super().__new__(cls, values)

        def __del__(self) -> None:
            alive[0] -= 1

    store = Store()
    made = (Row("IBM", n, "2013-03-01T09:30", 1.0, 1.0, 1.0, 1.0, 1.0) for n in range(1000))
    assert store.insert("bars", made) == 1000
    assert most < 10
    assert store.insert("bars", iter(())) == 0
    desk = services()
    assert asyncio.run(desk.jobs.collect_async())["bars"] == 60 * len(desk.market.symbols)
    store.close()


@pytest.mark.backend_independent
def test_windows_that_take_too_long_are_left_to_single_analyses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysis, "BUDGET", 0.0)
    desk = services()
    found = []
    for n in range(3):
        for symbol in desk.market.symbols[:12]:
            assert desk.analysis.analyse(symbol, 250)["bar"] == HISTORY - 1 + n
        desk.market.advance(1001.0 + n)
        found.append((desk.analysis.warm(), desk.analysis.is_quick("BS012", 250)))
    assert found == [(1, True), (0, False), (0, False)]  # it is tried once, to know how long it takes


def test_an_analysis_is_never_older_than_the_newest_bar() -> None:
    desk = services()
    for n in range(5):
        assert desk.analysis.analyse("IBM", 250)["bar"] == HISTORY - 1 + n
        assert desk.analysis.analyse("IBM", 250)["bar"] == HISTORY - 1 + n
        desk.market.advance(1001.0 + n)
    assert desk.analysis.at_bar.cache_info().hits == 5


def test_answers_that_need_no_computation_are_those_of_the_routes() -> None:
    desk = services()
    requests = metrics.counter(
        "fastcore_http_requests_total",
        method="GET",
        route="/technical-analysis/{symbol}",
        status="200",
        arm="candidate",
    )
    paths = [
        "/technical-analysis/AAPL",
        "/technical-analysis/FB?bars=125",
        "/signals/IBM",
        "/prices?symbols=AAPL,BS002",
    ]
    odd = [
        *("/technical-analysis/ZZZ", "/technical-analysis/FB?bars=049", "/technical-analysis/FB?bars=601"),
        *("/technical-analysis/FB?bars=12x", "/technical-analysis/FB?bars=", "/technical-analysis/FB?bar=125"),
        *("/technical-analysis/FB?bars=125&bars=250", "/technical-analysis/F%42?bars=125", "/technical-analysis/FB/x"),
    ]

    async def ask(client: httpx.AsyncClient) -> None:
        for symbol in desk.market.symbols[:12]:
            desk.analysis.analyse(symbol, 125)
        desk.market.advance(1001.0)
        desk.analysis.warm()
        before = requests.value
        for path in (*paths, *odd):
            found = [await client.get(path) for _ in range(2)]
            flags.set("memory_optimization", "control")
            plain = await client.get(path)
            flags.set("memory_optimization", "candidate")
            for one in found:
                assert one.status_code == plain.status_code
                assert dict(one.headers) == dict(plain.headers)
                assert difference(plain.json(), one.json(), ACCURACY) == ""
        assert (await client.head(paths[0])).status_code == 405
        assert requests.value > before + 3
        assert len(desk.answers.answers) >= len(paths)
        assert (await client.get(paths[1])).json()["bar"] == HISTORY
        desk.market.advance(1002.0)
        assert (await client.get(paths[1])).json()["bar"] == HISTORY  # until windows are computed ahead
        desk.analysis.warm()
        assert (await client.get(paths[1])).json()["bar"] == HISTORY + 1
        desk.market.advance(1003.0)
        desk.market.advance(1004.0)
        assert (await client.get(paths[1])).json()["bar"] == HISTORY + 3  # no older one

    talk(build_fast(desk, running=False), ask)


def test_a_price_of_the_stream_is_that_of_the_route() -> None:
    desk = services()
    sent: dict[str, Any] = {}
    desk.hub.listen("prices.*", lambda topic, price: sent.update({topic: price}))
    for n in range(20):
        desk.market.advance(1001.0 + n)
        Streaming(desk).publish_prices()
        told = [quote_of(f"prices.{symbol}", sent[f"prices.{symbol}"]) for symbol in desk.market.symbols]
        assert told == desk.snapshots.latest(desk.market.symbols)


def test_those_who_ask_for_it_get_a_task(backend: str) -> None:
    for name in HOT_PATHS:
        flags.set(name, backend)
    desk, answered = services(), {name: answer for name, (_, answer) in expected().items()}
    fresh = {"compiled": "BS005", "python": "BS006"}[backend]  # the cache is the process's: it does not have this one
    answered["another analysis"] = desk.analysis.original_service.analyse(fresh, 250)
    prefer = {"Prefer": "respond-async, wait=1"}

    async def ask(client: httpx.AsyncClient) -> None:
        for method, path, body, plain in (
            ("GET", f"/technical-analysis/{fresh}", None, "another analysis"),
            ("POST", "/generate-report", ["GOOG", "BS001"], "a report"),
            ("POST", "/batch-analysis", {"AAPL": 5, "IBM": 0, "FB": 5}, "a batch by priority"),
            ("POST", "/jobs/daily_report", None, "a daily report"),
        ):
            answer = await client.request(method, path, json=body, headers=prefer)
            assert answer.status_code == 202
            told = answer.json()
            assert told.keys() == {"task_id", "status", "estimated_time", "result_url"}
            assert (told["status"], answer.headers["location"]) == ("processing", told["result_url"])
            result = await client.get(told["result_url"], params={"wait": 60})
            assert result.status_code == 200
            assert difference(answered[plain], result.json()["result"], ACCURACY) == ""
        await client.get(f"/technical-analysis/{fresh}")
        cached = await client.get(f"/technical-analysis/{fresh}", headers=prefer)
        assert cached.status_code == 200
        assert difference(answered["another analysis"], cached.json(), ACCURACY) == ""
        assert (await client.get("/technical-analysis/ZZZ", headers=prefer)).status_code == 404
        again = await client.post("/generate-report", json=["IBM"], headers=prefer)
        assert "seconds" in again.json()["estimated_time"]

    talk(build_fast(desk, running=False), ask)


@pytest.mark.backend_independent
def test_a_full_queue_answers_503() -> None:
    desk = services(max_queued=2)

    async def ask(client: httpx.AsyncClient) -> None:
        desk.queue.pause("generate_report")
        statuses = set()
        for n in range(4):
            body = [desk.market.symbols[n]]
            answer = await client.post("/generate-report", json=body, headers={"Prefer": "respond-async"})
            statuses.add(answer.status_code)
        assert statuses == {202, 503}

    talk(build_fast(desk, running=False), ask)


@pytest.mark.backend_independent
def test_jobs_tell_how_far_they_are_and_are_cleaned_up_after() -> None:
    desk = services()

    cleanups = metrics.counter("fastcore_cleanups_total", job=type(desk.jobs).collect_async.__qualname__)

    async def ask(client: httpx.AsyncClient) -> None:
        before = cleanups.value
        answer = await client.post("/jobs/collect_prices")
        assert answer.json() == {"symbols": 20, "bars": 1_200}
        assert (await client.get("/jobs")).json()["collect_prices"] == {"state": "done", "done": 20, "total": 20}
        (view,) = desk.queue.find(kind="collect_prices")
        assert (view.progress, view.note) == (1.0, "20 of 20")
        assert cleanups.value == before + 1

    talk(build_fast(desk, running=False), ask)
    plain = Services(market(), feeds=[])
    plain.scheduler.run("collect_prices")
    query = "SELECT * FROM bars ORDER BY symbol, bar"
    assert desk.store.select(query) == plain.store.select(query)


@pytest.mark.backend_independent
def test_urgent_tasks_run_first() -> None:
    desk = services()
    ran: list[str] = []
    desk.queue.on("start")(lambda event: ran.append(event.task))

    async def ask(client: httpx.AsyncClient) -> None:
        assert (await client.get("/readyz")).status_code == 200
        ids = [await desk.jobs.submit(name, *arguments, priority=priority) for name, arguments, priority in calls]
        for id in ids:
            await desk.queue.wait(id, 60)

    calls = [("generate_report", (["IBM"],), 5.0)] * 4 + [("batch_analysis", ({"FB": 0.0},), 0.0)]
    talk(build_fast(desk, running=False), ask)
    assert "batch_analysis" in ran[:3]  # two threads had begun


@pytest.mark.backend_independent
@pytest.mark.parametrize("mode", ["control", "candidate"])
def test_every_arm_crawls_alike(mode: str) -> None:
    with news_host() as host:
        host.pages |= {
            "/robots.txt": "User-agent: *\nDisallow: /private",
            "/rss": feed("IBM up", "FB down", text="AAPL"),
            "/again": feed("IBM  UP!", "News"),
            "/broken": "no feed",
            "/private/rss": feed("Secret"),
            "/news.html": page("GOOG", "Banks"),
            "/bomb": gzip.compress(bytes(8 << 20)),
            "/latin.html": page("GOOG", "Banks", "Société").encode("latin-1"),
            "/busy": feed("Tomorrow"),
        }
        host.headers |= {
            "/bomb": {"Content-Encoding": "gzip"},
            "/latin.html": {"Content-Type": "text/html; charset=latin-1"},
            "/busy": {"Retry-After": "86400"},
        }
        host.failures["/busy"] = [503] * 3
        host.failures["/again"] = [503] * 9
        paths = ("/rss", "/broken", "/private/rss", "/news.html", "/missing", "/bomb", "/busy", "/latin.html")
        urls = [host.url + path for path in paths]
        plain, tuned = Services(market(), feeds=urls), TunedServices(market(), feeds=urls)
        flags.set("async_processing", mode)
        fast = services(feeds=urls)
        flaky = services(feeds=[f"{host.url}/again"])
        results = [plain.scheduler.run("crawl_news"), tuned.scheduler.run("crawl_news"), asyncio.run(fast.jobs.crawl())]
        for desk in (plain, tuned, fast):
            for crawler in (desk.yahoo, desk.investing):
                table = pd.DataFrame(crawler.articles()).astype(str)
                pd.testing.assert_frame_equal(table, getattr(plain, crawler.source).articles().astype(str))
        host.failures["/again"] = [503, 429]
        assert asyncio.run(flaky.jobs.crawl())["new"] == 2
    assert results[0] == results[1] == results[2]
    assert results[0]["new"] == 5
    assert set(results[0]["failed"][0]) == {urls[1], urls[2], urls[4], urls[5], urls[6]}
    assert fast.yahoo.news("FB") == plain.yahoo.news("FB")


@pytest.mark.backend_independent
def test_tables_lose_nothing_and_take_fewer_bytes() -> None:
    desk = services()
    quotes = desk.market.quotes()
    fast = desk.snapshots.table(quotes)
    flags.set("memory_optimization", "control")
    plain = desk.snapshots.table(quotes)
    assert fast.attrs["restore"](fast).astype(plain.dtypes.to_dict()).equals(plain)
    assert frame_bytes(fast) < 0.8 * frame_bytes(plain)


@pytest.mark.backend_independent
def test_before_and_after_are_compared() -> None:
    desk = services()
    df = desk.market.frame("AAPL", 250)
    found = asyncio.run(PerformanceComparisonTest(rounds=3).compare_performance("analysis", "calculate_indicators", df))
    assert found["before"]["calls"] == found["after"]["calls"] == 3
    assert found["improvement"] is not None


@pytest.mark.backend_independent
def test_the_cache_tells_the_latest_analysis_of_a_symbol() -> None:
    desk = services()
    asked = desk.analysis.analyse("GOOG", 100)
    assert asyncio.run(get_cached_analysis("GOOG")) == asked


def test_prices_and_analyses_are_streamed(backend: str) -> None:
    for name in HOT_PATHS:
        flags.set(name, backend)
    desk = services()

    async def listen(port: int) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        topics = ["prices.BS009", "analysis.IBM"]
        async with Client(f"ws://127.0.0.1:{port}/stream", topics) as client:
            async for message in client:
                seen[message.topic] = message.data
                if len(seen) == len(topics):
                    return seen
        raise AssertionError

    with Running(build_fast(desk), lifespan="on") as running:
        seen = asyncio.run(listen(running.port))
    told = quote_of("prices.BS009", seen["prices.BS009"])
    assert told.keys() == {"symbol", "bar", "at", "price", "change", "volume", "origin"}
    assert (told["symbol"], told["origin"]) == ("BS009", "bootstrapped")
    assert seen["analysis.IBM"]["indicators"].keys() == desk.monitor.latest["IBM"].keys()
    assert seen["analysis.IBM"]["bar"] >= HISTORY


@pytest.mark.backend_independent
def test_tuned_streams_the_same_prices() -> None:
    desk = TunedServices(market(), feeds=[])
    with Running(build_tuned(desk), ws="websockets-sansio", lifespan="on") as running:
        with connect(f"ws://127.0.0.1:{running.port}/stream?topics=prices.BS009,prices.IBM") as stream:
            heard = json.loads(stream.recv(60))
        status = httpx.get(f"http://127.0.0.1:{running.port}/status", trust_env=False).json()
    assert [quote["symbol"] for quote in heard] == ["BS009", "IBM"]
    assert heard[0].keys() == {"symbol", "bar", "at", "price", "change", "volume", "origin"}
    assert status["delivered"] >= 2


def sources(arm: str) -> list[Path]:
    return sorted((DESK / arm).glob("*.py"))


@pytest.mark.backend_independent
def test_fast_is_not_much_longer_than_plain() -> None:
    def lines(arm: str) -> int:
        return sum(len(path.read_text().splitlines()) for path in sources(arm))

    assert lines("fast") <= 1.3 * lines("plain")
