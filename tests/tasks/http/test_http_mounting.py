"""Mounting the router, and queues without FastAPI."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import httpx
import pytest
from fastapi import Depends, FastAPI, HTTPException, Request

from fastcore.tasks import TaskQueue
from tests.tasks.http.served import UNKNOWN, Desk, register, served, told


class TestMounting:
    def test_links_follow_the_place_of_the_router(self) -> None:
        async def main() -> None:
            queue = TaskQueue(store="memory", workers={"async": 1})
            register(queue, asyncio.Event())
            inner, outer = FastAPI(), FastAPI()
            inner.include_router(queue.router(prefix="/jobs"), prefix="/v2")
            outer.mount("/desk/task", inner)
            transport = httpx.ASGITransport(outer)
            async with queue, httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
                response = await client.post("/desk/task/v2/jobs", json={"task": "add", "args": [1]})
                body = response.json()
                assert response.headers["location"] == f"/desk/task/v2/jobs/task/{body['task_id']}"
                result = await client.get(body["result_url"], params={"wait": 30})
                assert result.json()["result"] == 3
                status = await client.get(body["status_url"])
                assert status.json()["result_url"] == body["result_url"]

        asyncio.run(main())

    @pytest.mark.parametrize(
        ("method", "path", "allow"),
        [
            ("PUT", "", "GET, POST"),
            ("DELETE", "", "GET, POST"),
            ("OPTIONS", f"/task/{UNKNOWN}", "DELETE, GET"),
            ("POST", f"/task/{UNKNOWN}/result", "GET"),
            ("PATCH", f"/task/{UNKNOWN}/events", "GET"),
        ],
    )
    def test_other_methods_are_refused_with_an_allow_header(self, method: str, path: str, allow: str) -> None:
        async def test(desk: Desk) -> None:
            response = await desk.client.request(method, f"/api/tasks{path}")
            told(response, 405, "method")
            assert response.headers["allow"] == allow

        served(test)

    def test_dependencies_guard_every_route(self) -> None:
        def guard(request: Request) -> None:
            if request.headers.get("x-token") != "secret":
                raise HTTPException(401, "who are you?")

        async def test(desk: Desk) -> None:
            for method, path in (
                ("POST", ""),
                ("GET", ""),
                ("GET", f"/task/{UNKNOWN}"),
                ("DELETE", f"/task/{UNKNOWN}"),
                ("GET", f"/task/{UNKNOWN}/result"),
                ("GET", f"/task/{UNKNOWN}/events"),
            ):
                response = await desk.client.request(method, f"/api/tasks{path}")
                assert (response.status_code, response.json()) == (401, {"detail": "who are you?"})
            desk.client.headers["x-token"] = "secret"
            assert (await desk.post("add", 1)).status_code == 202

        served(test, router={"dependencies": [Depends(guard)]})

    def test_a_closed_queue_is_503(self) -> None:
        async def main() -> None:
            queue = TaskQueue(store="memory", workers={"async": 1})
            register(queue, asyncio.Event())
            app = FastAPI()
            app.include_router(queue.router())
            async with queue:
                pass
            queue.close()
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk") as client:
                response = await client.post("/api/tasks", json={"task": "add", "args": [1]})
                told(response, 503, "closed")
                assert "retry-after" in response.headers

        asyncio.run(main())


def test_without_fastapi_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['fastapi'] = None\n"
        "from fastcore.tasks import TaskQueue\n"
        "queue = TaskQueue(store='memory')\n"
        "try: queue.router()\n"
        "except ImportError as error: print(error)\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "fastcore-native[service]"' in found.stdout


def test_a_queue_is_made_without_loading_fastapi() -> None:
    code = (
        "import sys; from fastcore.tasks import TaskQueue; TaskQueue(store='memory'); "
        "print([m for m in ('fastapi', 'pydantic', 'starlette') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
