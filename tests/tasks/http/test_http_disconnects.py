"""Clients that leave while they wait for a result or send a task: nothing of them stays, and nothing is logged."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI

from fastcore.tasks import TaskQueue
from tests.streaming.raw_client import TIMEOUT
from tests.streaming.running import Running

RESET = struct.pack("ii", 1, 0)


@pytest.fixture
def queue() -> TaskQueue:
    queue = TaskQueue()

    @queue.task
    async def hold() -> None:
        await asyncio.sleep(10 * TIMEOUT)

    return queue


@pytest.fixture(params=["httptools", "h11"])
def server(request: pytest.FixtureRequest, queue: TaskQueue) -> Iterator[Running]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with queue:
            yield
            await queue.astop(0)

    app = FastAPI(lifespan=lifespan)
    app.include_router(queue.router(max_waiting=20, max_wait=10 * TIMEOUT))
    with Running(app, http=request.param, lifespan="on", log_level="warning", log_config=None) as running:
        yield running


def connect(server: Running, data: bytes) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", server.port))
    sock.settimeout(TIMEOUT)
    sock.sendall(data)
    return sock


def leave(sock: socket.socket, how: str) -> None:
    if how == "reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    sock.close()


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_wait_ends_with_its_client(server: Running, queue: TaskQueue, how: str) -> None:
    id = queue.submit("hold")
    before = server.call(lambda: len(asyncio.all_tasks()))
    get = f"GET /api/tasks/task/{id}/result?wait=600 HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    for _ in range(5):
        waiting = [connect(server, get) for _ in range(20)]  # as many as may
        server.until(lambda: len(queue.waiters._wakes.get(id, ())) == 20)
        for sock in waiting:
            leave(sock, how)
        server.until(lambda: not queue.waiters._wakes)
        server.until(lambda: len(asyncio.all_tasks()) <= before)
    with connect(server, get.replace(b"wait=600", b"wait=0.01")) as sock:
        assert sock.recv(1 << 16).startswith(b"HTTP/1.1 202")


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_task_that_is_cut_off_is_not_queued_nor_logged(
    server: Running, queue: TaskQueue, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    body = b'{"task": "hold"}'
    head = b"POST /api/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    for told in (len(body) + 1, 100_000):
        sock = connect(server, head % told + body)
        server.until(lambda: server.server.server_state.tasks)
        leave(sock, how)
        server.until(lambda: not server.server.server_state.tasks)
    assert queue.counts() == {}
    assert not caplog.records
