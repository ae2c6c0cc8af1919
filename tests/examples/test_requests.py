"""Requests in odd forms, of odd sizes, and connections on which none comes, against the fast service."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.requests import Request

pytest.importorskip("feedparser")

from examples.market_desk.fast import answers
from examples.market_desk.fast.app import MAX_BODY, build_app
from examples.market_desk.fast.optimizations import FLAGS, choose
from examples.market_desk.fast.routers import asks_for_task
from examples.market_desk.fast.services import OptimizedServices
from examples.market_desk.serving import PROTOCOLS, uvicorn_server
from fastcore import flags
from fastcore.streaming import install_hub
from fastcore.streaming.handshake import HeadTimeoutProtocol
from fastcore.streaming.uvicorn import HubProtocol
from tests.examples.arms import market, talk

pytestmark = pytest.mark.backend_independent


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    choose("after")
    yield
    install_hub(None)
    for name in FLAGS:
        flags.clear(name)


def services() -> OptimizedServices:
    return OptimizedServices(market(), feeds=[])


@pytest.mark.parametrize(
    ("told", "asks"),
    [
        (["respond-async"], True),
        (["wait=10", "respond-async"], True),
        (["RESPOND-ASYNC , wait=10"], True),
        (['respond-async; foo="a, b"'], True),
        (['respond-async=""'], True),
        ([",, respond-async,"], True),
        (['foo="x, respond-async"'], False),
        (["foo; respond-async"], False),
        (["respond-asynchronously", "no-respond-async"], False),
        (["respond-async=no"], False),
        ([""], False),
        ([], False),
    ],
)
def test_preferences_are_read_in_every_form_that_they_may_have(told: list[str], asks: bool) -> None:
    headers = [(b"prefer", value.encode()) for value in told]
    assert asks_for_task(Request({"type": "http", "headers": headers})) is asks


def test_large_answers_are_not_kept() -> None:
    desk = services()
    symbols = desk.market.symbols
    few, many = f"/prices?symbols={symbols[0]}", f"/prices?symbols={','.join(3 * symbols)}"
    padded = f"{few}&padding={'x' * 5000}"

    async def ask(client: httpx.AsyncClient) -> None:
        for path in (few, many, padded):
            assert (await client.get(path)).status_code == 200

    talk(build_app(desk, running=False), ask)
    assert [query for _, query, _ in desk.answers.answers] == [few.partition("?")[2].encode()]


def test_kept_answers_of_earlier_bars_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "PERIOD", 0.05)  # seconds of a bar
    desk = services()
    kept = desk.answers.answers

    async def ask(client: httpx.AsyncClient) -> None:
        for path in ("/technical-analysis/IBM", "/signals/IBM", "/prices?symbols=IBM"):
            assert (await client.get(path)).status_code == 200

    talk(build_app(desk, running=False), ask)
    deadline = time.monotonic() + 60
    while len(kept):  # no request comes that would replace one
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert kept.stats().evictions["expired"] == 3


def test_identical_orders_at_once_all_end_well() -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        async def order(path: str, body: Any) -> tuple[str, Any]:
            told = await client.post(path, json=body, headers={"Prefer": "respond-async"})
            assert told.status_code == 202
            found = await client.get(told.json()["result_url"], params={"wait": 30})
            assert found.status_code == 200
            return told.json()["task_id"], found.json()["result"]

        reports = dict(await asyncio.gather(*[order("/generate-report", ["IBM"]) for _ in range(30)]))
        assert len(reports) == 30  # each client has its own, which it may cancel
        assert len({found["html"] for found in reports.values()}) == 1
        jobs = dict(await asyncio.gather(*[order("/jobs/daily_report", None) for _ in range(30)]))
        assert len(jobs) < 30  # those that wait together are one task

    talk(build_app(services(), running=False), ask)


def test_a_body_that_is_too_large_is_refused_before_it_is_read() -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        for path in ("/generate-report", "/batch-analysis", "/jobs/snapshot", "/api/tasks"):
            answer = await client.post(path, content=bytes(MAX_BODY + 1))
            assert answer.status_code == 413
        assert (await client.post("/generate-report", json=["IBM"])).status_code == 200

    talk(build_app(services(), running=False), ask)


def test_fast_does_not_wait_for_slow_heads_of_requests() -> None:
    server = uvicorn_server(build_app(services(), running=False), PROTOCOLS)
    server.config.load()
    assert (server.config.http_protocol_class, server.config.ws_protocol_class) == (HeadTimeoutProtocol, HubProtocol)
