"""Dataclasses and pydantic models over HTTP: judged and made from JSON, given to the task, and answered as JSON."""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from fastcore.tasks import TaskQueue
from fastcore.tasks.codec import Codec
from tests.tasks.codec.codec_types import Account, Leg, Order, Page, Side

ACCOUNT = {
    "id": "00000000-0000-0000-0000-000000000007",
    "side": "b",
    "opened": "2026-03-01T09:30:00+02:00",
    "limit": "1.50",
}
ORDER = {
    "account": ACCOUNT,
    "legs": [{"symbol": "AAPL", "side": "s", "price": "2.5"}],
    "callback": "https://a.example/x",
}


async def place(order: Order, *legs: Leg, at: dt.datetime | None = None, **others: Account) -> Any:
    assert isinstance(order, Order)
    assert order.account.opened.utcoffset() == dt.timedelta(hours=2)
    assert (order.account.id, order.account.limit) == (UUID(int=7), Decimal("1.50"))
    assert all(isinstance(leg, Leg) for leg in (*order.legs, *legs))
    assert all(isinstance(account, Account) for account in others.values())
    return {"order": order, "legs": legs, "at": at, "sides": {leg.side for leg in order.legs}}


def served(test: Callable[[Any, TaskQueue], Awaitable[None]], store: str, **options: Any) -> None:
    async def main() -> None:
        queue = TaskQueue(store, **options)
        queue.task(place, retries=0)
        queue.task(functools.partial(place, at=None), name="bound", retries=0)
        app = FastAPI()
        app.include_router(queue.router())
        async with queue, httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk") as client:
            await test(client, queue)

    asyncio.run(main())


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory" if request.param == "memory" else f"sqlite:///{tmp_path}/tasks.db"


@pytest.mark.parametrize("task", ["place", "bound"])
def test_arguments_become_instances_and_results_json(store: str, task: str) -> None:
    async def test(client: httpx.AsyncClient, queue: TaskQueue) -> None:
        given = {"args": [ORDER, {"symbol": "X"}], "kwargs": {"at": "2026-01-01T00:00:00Z", "spare": ACCOUNT}}
        posted = await client.post("/api/tasks", json={"task": task, **given})
        assert posted.status_code == 202, posted.text
        answer = await client.get(posted.json()["result_url"], params={"wait": 30})
        assert answer.status_code == 200, answer.text
        result = answer.json()["result"]
        assert result["order"]["account"]["opened"] == ACCOUNT["opened"]
        assert result["order"]["legs"] == [{"symbol": "AAPL", "side": "s", "price": "2.5"}]
        assert result["legs"] == [{"symbol": "X", "side": "b", "price": None}]
        assert (result["at"], result["sides"]) == ("2026-01-01T00:00:00Z", ["s"])
        found = queue.result(posted.json()["task_id"])
        assert found["order"] == Order.model_validate(ORDER)
        assert found["legs"][0] == Leg("X", Side.BUY)

    served(test, store)


def test_errors_name_their_place(store: str) -> None:
    async def test(client: httpx.AsyncClient, queue: TaskQueue) -> None:
        body = {"task": "place", "args": [{"account": ACCOUNT | {"id": 5}, "legs": [{}]}, {"symbol": 3}]}
        answer = await client.post("/api/tasks", json=body)
        assert answer.status_code == 422
        places = [tuple(error["loc"]) for error in answer.json()["errors"]]
        assert places == [
            ("body", "args", 0, "account", "id"),
            ("body", "args", 0, "legs", 0, "symbol"),
            ("body", "args", 1, "symbol"),
        ]
        assert queue.counts() == {}

    served(test, store)


def test_a_key_is_of_one_body(store: str) -> None:
    async def test(client: httpx.AsyncClient, queue: TaskQueue) -> None:
        async def post(**body: Any) -> httpx.Response:
            return await client.post("/api/tasks", json=body, headers={"Idempotency-Key": "k"})

        first = await post(task="place", args=[ORDER])
        reordered = dict(reversed(list(ORDER.items())))
        again = await post(args=[reordered], task="place")
        assert (again.status_code, again.json()["task_id"]) == (202, first.json()["task_id"])
        for other in ({"task": "place", "args": [ORDER | {"legs": []}]}, {"task": "bound", "args": [ORDER]}):
            assert (await post(**other)).status_code == 422

    served(test, store)


def test_a_variant_of_a_generic_model(store: str) -> None:
    async def test(client: httpx.AsyncClient, queue: TaskQueue) -> None:
        @queue.task
        async def count(page: Page[Leg]) -> int:
            assert all(isinstance(leg, Leg) for leg in page.items)
            return len(page.items)

        posted = await client.post("/api/tasks", json={"task": "count", "args": [{"items": [{"symbol": "AAPL"}]}]})
        answer = await client.get(posted.json()["result_url"], params={"wait": 30})
        assert answer.json()["result"] == 1

    served(test, store)


def test_results_are_read_by_the_codec_of_their_task(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient, queue: TaskQueue) -> None:
        @queue.task(codec=Codec("pickle"))
        async def page() -> Any:
            return [Leg("AAPL")]

        id = await queue.asubmit(page)
        answer = await client.get(f"/api/tasks/task/{id}/result", params={"wait": 30})
        assert answer.json()["result"] == [{"symbol": "AAPL", "side": "b", "price": None}]

    served(test, f"sqlite:///{tmp_path}/tasks.db")
