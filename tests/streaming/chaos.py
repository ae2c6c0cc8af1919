"""What goes wrong between clients and servers, made to go wrong on purpose: a proxy, and processes to kill."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

__all__ = ["Desk", "Proxy", "eventually"]

ROOT = Path(__file__).resolve().parents[2]


class Desk:
    """A ``tests.streaming.desk``, in its own process or on the event loop of the test."""

    def __init__(self, process: asyncio.subprocess.Process | None, port: int) -> None:
        self.process = process
        self.port = port

    @classmethod
    @contextlib.asynccontextmanager
    async def in_process(cls, *arguments: str) -> AsyncIterator[Desk]:
        """Start one on this event loop, which is quicker, and stop it at the end."""
        from tests.streaming import desk

        server, listener = desk.made(list(arguments))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await eventually(lambda: server.started or task.done(), every=0.002)
            yield cls(None, listener.getsockname()[1])
        finally:
            server.should_exit = True
            await task

    @classmethod
    @contextlib.asynccontextmanager
    async def run(cls, *arguments: str) -> AsyncIterator[Desk]:
        """Start one in its own process, and stop it at the end."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.streaming.desk", *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        try:
            assert process.stdout is not None
            line = await asyncio.wait_for(process.stdout.readline(), 60)
            assert line, "the server ended before it was there"
            yield cls(process, int(line))
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()

    def kill(self) -> None:
        """End it as a crash does."""
        assert self.process is not None
        self.process.kill()

    async def request(self, method: str, path: str, **options: Any) -> Any:
        """Ask it over HTTP."""
        import httpx

        async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
            answer = await http.request(method, f"http://127.0.0.1:{self.port}{path}", **options)
            answer.raise_for_status()
            return answer.json()


class Proxy:
    """Carries TCP connections to ports that may change, and cuts them."""

    def __init__(self, *targets: int, rng: random.Random | None = None) -> None:
        self.targets = targets  # each connection goes to one of them, drawn at random
        self.cuts = 0
        self.accepted = 0
        self._rng = rng or random.Random(5)
        self._links: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.stalled = asyncio.Event()
        self.stalled.set()
        self.port = 0

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def __len__(self) -> int:
        return len(self._links)

    def cut(self, share: float = 1.0) -> int:
        """Cut so large a share of the connections, with a reset on both sides; returns how many."""
        links = [link for link in sorted(self._links, key=id) if self._rng.random() < share]
        for link in links:
            self.cuts += 1
            for writer in link:
                _reset(writer)
        return len(links)

    def stall(self) -> None:
        """Carry nothing any more, without closing: a cable that was pulled."""
        self.stalled.clear()

    def resume(self) -> None:
        self.stalled.set()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        try:
            there = await asyncio.open_connection("127.0.0.1", self._rng.choice(self.targets))
        except OSError:
            _reset(writer)
            return
        link = (writer, there[1])
        self._links.add(link)
        both = [
            asyncio.create_task(self._pump(reader, there[1])),
            asyncio.create_task(self._pump(there[0], writer)),
        ]
        self._tasks.update(both)
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        self._links.discard(link)
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)
        self._tasks.difference_update(both)
        for one in link:
            one.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                await self.stalled.wait()
                writer.write(data)
                await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def eventually(condition: Any, timeout: float = 60.0, every: float = 0.02) -> None:
    """Wait until `condition()` is true."""
    async with asyncio.timeout(timeout):
        while not condition():
            await asyncio.sleep(every)
