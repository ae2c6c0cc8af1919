"""An application over a queue, and a client that asks it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from fastapi import FastAPI

from fastcore.tasks import TaskQueue, progress

JSON = "application/json"
PROBLEM = "application/problem+json"
UNKNOWN = "0" * 32


class Desk:
    """An application over a queue in memory, and a client."""

    def __init__(self, client: httpx.AsyncClient, queue: TaskQueue, gate: asyncio.Event) -> None:
        self.client = client
        self.queue = queue
        self.gate = gate

    async def post(self, task: str, *args: Any, key: str | None = None, **body: Any) -> httpx.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        return await self.client.post("/api/tasks", json={"task": task, "args": args, **body}, headers=headers)

    async def queued(self, task: str, *args: Any, **body: Any) -> str:
        response = await self.post(task, *args, **body)
        assert response.status_code == 202, response.text
        return str(response.json()["task_id"])

    async def get(self, path: str, **params: Any) -> httpx.Response:
        return await self.client.get(f"/api/tasks{path}", params=params)

    async def ended(self, id: str) -> httpx.Response:
        return await self.get(f"/task/{id}/result", wait=30)


def register(queue: TaskQueue, gate: asyncio.Event) -> None:
    @queue.task(name="add", on="async")
    async def add(a: int, b: int = 2) -> int:
        return a + b

    @queue.task(name="hold", on="async")
    async def hold() -> str:
        progress(0.5, "half")
        await gate.wait()
        return "held"

    @queue.task(name="fail", on="async", retries=0)
    async def fail() -> None:
        raise ValueError("no such symbol: XYZ")

    @queue.task(name="odd", on="async")
    async def odd() -> object:
        return object()

    @queue.task(name="echo", on="async")
    async def echo(*args: Any, **kwargs: Any) -> Any:
        return [args, kwargs]

    @queue.task(name="brief", on="async", result_ttl=0)
    async def brief() -> int:
        return 1


def served(test: Callable[[Desk], Awaitable[None]], router: dict[str, Any] | None = None, **options: Any) -> None:
    """Run a test against an application, together with the queue's workers."""

    async def main() -> None:
        queue = TaskQueue(store=options.pop("store", "memory"), workers={"async": 4}, **options)
        gate = asyncio.Event()
        register(queue, gate)
        app = FastAPI()
        app.include_router(queue.router(**(router or {})))
        transport = httpx.ASGITransport(app)
        async with queue, httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
            try:
                await test(Desk(client, queue, gate))
            finally:
                gate.set()

    asyncio.run(main())


def told(response: httpx.Response, status: int, kind: str) -> Any:
    """Check that a response is the problem it should be, and return its body."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == PROBLEM
    body = response.json()
    assert body["type"] == f"urn:fastcore:tasks:{kind}"
    assert body["status"] == status
    assert body["title"]
    return body
