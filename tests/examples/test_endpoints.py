"""The endpoints answer alike whichever flags are set, save for the 202 of a report made in the background."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pandas as pd
import pytest

from examples.market_desk.desk import MarketDesk
from examples.market_desk.flags import ARMS, SERVICES, Arm, choose
from examples.market_desk.prices import load_market
from examples.market_desk.server import build_app
from examples.market_desk.table import apart
from fastcore import flags

pytestmark = pytest.mark.backend_independent


@pytest.fixture
def desk() -> Iterator[MarketDesk]:
    yield MarketDesk(load_market(), rate=4)
    for name in (*SERVICES, "indicators", "cache", "heap", "framing"):
        flags.clear(name)


def talk(desk: MarketDesk, conversation: Callable[[httpx.AsyncClient], Awaitable[Any]]) -> Any:
    app = build_app(desk)

    async def run() -> Any:
        transport = httpx.ASGITransport(app=app)
        async with app.router.lifespan_context(app):
            async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
                return await conversation(client)

    return asyncio.run(run())


def test_both_arms_give_the_same_analysis(desk: MarketDesk) -> None:
    async def ask(client: httpx.AsyncClient) -> list[dict[str, Any]]:
        answers = []
        for arm in ARMS:
            choose(arm)
            answer = await client.get("/technical-analysis/GOOG", params={"bars": 500})
            assert answer.status_code == 200
            answers.append(answer.json())
        return answers

    before, after = talk(desk, ask)
    one, other = before.pop("indicators"), after.pop("indicators")
    assert before == after
    assert before["bars"] == 500
    assert before["date"] == "2013-03-01"
    assert one.keys() == other.keys()
    assert max(apart(one[name], other[name]) for name in one) < 1e-9


def test_after_has_answers_from_the_cache_and_before_has_none(desk: MarketDesk) -> None:
    async def ask(client: httpx.AsyncClient, arm: Arm) -> tuple[int, int]:
        choose(arm)
        for _ in range(3):
            assert (await client.get("/technical-analysis/IBM")).status_code == 200
        other = await client.get("/technical-analysis/FB")
        assert other.json()["symbol"] == "FB"
        cache = (await client.get("/status")).json()["cache"]
        return cache["hits"], cache["misses"]

    async def both(client: httpx.AsyncClient) -> list[tuple[int, int]]:
        return [await ask(client, "before"), await ask(client, "after")]

    assert talk(desk, both) == [(0, 0), (2, 2)]


@pytest.mark.parametrize("arm", ARMS)
def test_wrong_requests_are_refused(desk: MarketDesk, arm: Arm) -> None:
    choose(arm)

    async def ask(client: httpx.AsyncClient) -> list[int]:
        return [
            (await client.get("/technical-analysis/TSLA")).status_code,
            (await client.get("/technical-analysis/IBM", params={"bars": 3})).status_code,
            (await client.post("/generate-report", json=[])).status_code,
            (await client.post("/generate-report", json=["IBM", "TSLA"])).status_code,
            (await client.post("/generate-report", json=["IBM"], params={"priority": 10})).status_code,
            (await client.get("/api/tasks/task/none/result")).status_code,
        ]

    assert talk(desk, ask) == [404, 422, 422, 404, 422, 404]


def test_report_in_the_background_is_the_report_one_waits_for(desk: MarketDesk) -> None:
    async def ask(client: httpx.AsyncClient) -> tuple[Any, Any]:
        choose("before")
        waited = await client.post("/generate-report", json=["FB", "IBM"])
        assert waited.status_code == 200
        choose("after")
        accepted = await client.post("/generate-report", json=["FB", "IBM"])
        assert accepted.status_code == 202
        told = accepted.json()
        assert told["status"] == "processing"
        assert told["result_url"] == f"/api/tasks/task/{told['task_id']}/result"
        assert told["estimated_time"].endswith(" seconds")
        async with asyncio.timeout(20):
            while (answer := await client.get(told["result_url"])).status_code == 202:
                assert answer.json()["task_id"] == told["task_id"]
                await asyncio.sleep(0.01)
        assert answer.status_code == 200
        return waited.json(), answer.json()

    before, after = talk(desk, ask)
    after = after["result"]
    assert before["symbols"] == after["symbols"] == ["FB", "IBM"]
    assert before["correlation"] == after["correlation"]
    assert [s["year"] for s in after["sections"]["FB"]] == ["2012", "2013"]


def test_urgent_reports_come_first_and_a_failure_affects_no_other(
    desk: MarketDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go, done = threading.Event(), threading.Event(), []

    def work(symbols: Any) -> dict[str, Any]:
        begun.set()
        go.wait(60)
        done.append(symbols[0])
        if symbols[0] == "bad":
            raise ValueError("no such report")
        return {"of": symbols[0]}

    monkeypatch.setattr(desk.tasks.tasks["generate_report"], "fn", work)

    async def ask(client: httpx.AsyncClient) -> list[Any]:
        choose("after")
        ids = [await desk.reports.generate(["first"], 5)]
        await asyncio.to_thread(begun.wait, 60)
        ids += [await desk.reports.generate([n], p) for n, p in (("idle", 9), ("bad", 1), ("a", 5), ("b", 5))]
        go.set()
        urls = [f"/api/tasks/task/{id}/result" for id in ids]
        return [await client.get(url, params={"wait": 30}) for url in urls]

    answers = talk(desk, ask)
    assert done == ["first", "bad", "a", "b", "idle"]
    assert [answer.status_code for answer in answers] == [200, 200, 424, 200, 200]
    assert answers[1].json()["result"] == {"of": "idle"}
    assert "no such report" in answers[2].json()["detail"]


def test_several_symbols_are_analysed_alike_one_after_the_other_and_side_by_side(desk: MarketDesk) -> None:
    async def ask(client: httpx.AsyncClient) -> list[Any]:
        found = []
        for mode in ("control", "candidate"):
            flags.set("async_processing", mode)
            found.append((await client.get("/technical-analysis", params={"symbols": "IBM,AAPL"})).json())
        assert (await client.get("/technical-analysis", params={"symbols": "IBM,TSLA"})).status_code == 404
        assert (await client.get("/technical-analysis", params={"symbols": ","})).status_code == 422
        return found

    before, after = talk(desk, ask)
    assert before == after
    assert [one["symbol"] for one in after] == ["IBM", "AAPL"]


def test_optimised_indicators_equal_the_originals_and_are_cached(desk: MarketDesk) -> None:
    frame = desk.market.frame("IBM", 0, 400)
    service = desk.analysis
    found = service.calculate_indicators_optimized(frame)
    pd.testing.assert_frame_equal(
        found, service.original_service.calculate_indicators(frame), check_dtype=False, rtol=1e-12
    )
    found.iloc[0, 0] = -1.0  # a caller's own: the next one gets what was computed
    again = service.calculate_indicators_optimized(frame)
    pd.testing.assert_frame_equal(
        again, service.original_service.calculate_indicators(frame), check_dtype=False, rtol=1e-12
    )
    info = service.calculate_indicators_optimized.cache_info()
    assert len(service.calculate_indicators_optimized(frame.iloc[:-1])) == len(frame) - 1
    assert service.calculate_indicators_optimized.cache_info().misses == info.misses + 1
    assert info.hits >= 1


def test_every_switch_shows_both_its_arms(desk: MarketDesk) -> None:
    async def ask(client: httpx.AsyncClient) -> str:
        for arm in ARMS:
            choose(arm)
            await client.get("/technical-analysis/IBM")
            await client.get("/technical-analysis", params={"symbols": "IBM,FB"})
        return (await client.get("/switches")).text

    tables = talk(desk, ask).split("\n\n")
    assert [table.split(" ")[0] for table in tables] == list(SERVICES)
    analyses = next(table for table in tables if table.startswith("memory_optimization"))
    assert [line.split()[:2] for line in analyses.splitlines()[2:]] == [["control", "1"], ["candidate", "1"]]


def test_index_lists_every_endpoint(desk: MarketDesk) -> None:
    async def ask(client: httpx.AsyncClient) -> Any:
        return (await client.get("/")).json()

    assert "/stream?topics=prices.FB" in talk(desk, ask)["stream"]
