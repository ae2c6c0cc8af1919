"""What a real server does from SIGTERM to its end, under uvicorn and under gunicorn."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.service.rolling import ROOT, WAIT, server

pytestmark = [
    pytest.mark.backend_independent,
    pytest.mark.skipif(os.name != "posix", reason="SIGTERM to one process needs POSIX"),
]


@contextlib.asynccontextmanager
async def gunicorn(database: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """Run one worker under gunicorn, on a listener of ours."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        fd, port = listener.fileno(), listener.getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "ignore", "-m", "gunicorn", "tests.service.deployed:app", "--bind", f"fd://{fd}"),
            *("--worker-class", "uvicorn.workers.UvicornWorker", "--log-level", "error", "--no-control-socket"),
            cwd=ROOT,
            env={**os.environ, "DATABASE": database, "DRAIN_DELAY": "1.5"},
            pass_fds=(fd,),
        )
    try:
        yield process, port
    finally:
        if process.returncode is None:
            process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 40)
        if process.returncode is None:
            process.kill()
            await process.wait()


async def ready(http: httpx.AsyncClient, wanted: int) -> None:
    async with asyncio.timeout(WAIT):
        while True:
            with contextlib.suppress(httpx.TransportError):
                if (await http.get("/readyz")).status_code == wanted:
                    return
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("how", ["uvicorn", "gunicorn"])
def test_running_work_completes_while_readyz_fails(how: str, tmp_path: Path) -> None:
    if how == "gunicorn" and importlib.util.find_spec("gunicorn") is None:
        pytest.skip("gunicorn is not installed")
    run = server if how == "uvicorn" else gunicorn

    async def main() -> None:
        async with run(str(tmp_path / "tasks.db")) as (process, port):
            url = f"http://127.0.0.1:{port}"
            async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=WAIT) as http:
                await ready(http, 200)
                worker = (await http.get("/fast")).json()
                in_hand = asyncio.create_task(http.get("/slower"))
                await asyncio.sleep(0.3)  # so that it is there before the signal
                process.send_signal(signal.SIGTERM)
                async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=WAIT) as balancer:
                    await ready(balancer, 503)
                    new = await http.get("/fast")  # what comes before a balancer knows is answered
                    assert new.json() == worker
                    assert new.headers["connection"] == "close"
                answer = await in_hand
                assert answer.json() == worker
                assert answer.headers["connection"] == "close"
            code = await asyncio.wait_for(process.wait(), WAIT)
            assert code == (-signal.SIGTERM if how == "uvicorn" else 0)

    asyncio.run(main())


def test_a_second_signal_does_not_wait(tmp_path: Path) -> None:
    async def main() -> None:
        async with server(str(tmp_path / "tasks.db"), drain_delay=300.0) as (process, port):
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=WAIT) as http:
                await ready(http, 200)
                process.send_signal(signal.SIGTERM)
                await ready(http, 503)
            process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            assert await asyncio.wait_for(process.wait(), WAIT) == -signal.SIGTERM
            assert time.monotonic() - began < 200

    asyncio.run(main())


def test_requests_that_wait_for_a_task_are_released(tmp_path: Path) -> None:
    async def main() -> None:
        async with server(str(tmp_path / "tasks.db")) as (process, port):
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=WAIT) as http:
                await ready(http, 200)
                body: dict[str, Any] = {"task": "record", "args": [1], "delay": 3600}
                id = (await http.post("/api/tasks", json=body)).json()["task_id"]
                events: list[str] = []

                async def follow() -> None:
                    async with http.stream("GET", f"/api/tasks/task/{id}/events") as stream:
                        async for line in stream.aiter_lines():
                            events.append(line)

                following = asyncio.create_task(follow())
                async with asyncio.timeout(WAIT):
                    while not events:
                        await asyncio.sleep(0.02)
                process.send_signal(signal.SIGTERM)
                assert await asyncio.wait_for(process.wait(), WAIT) == -signal.SIGTERM
                with contextlib.suppress(httpx.TransportError):
                    await following

    asyncio.run(main())
