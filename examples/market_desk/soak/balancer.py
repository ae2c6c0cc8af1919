"""A balancer as small as it can be: it asks `/readyz`, and gives each new connection to the next that is ready."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable

__all__ = ["Balancer"]

WAIT = 10.0  # seconds that a connection waits for a backend
BLOCK = 1 << 16

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Balancer:
    """Carries TCP connections to backends by their ports.

    A GET that a backend leaves without a byte of an answer is given to another.

    Parameters
    ----------
    every : float
        Seconds between two looks at a backend's readiness.

    Attributes
    ----------
    backends, ready : set of int
        Ports: those that there are, and those that answered ``/readyz`` with 200.
    refused : int
        Connections for which no backend was ready within ten seconds, or none took them.
    """

    def __init__(self, every: float = 0.05) -> None:
        self.backends: set[int] = set()
        self.ready: set[int] = set()
        self.refused = 0
        self.port = 0
        self._every = every
        self._turn = itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Balancer:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        self._looking = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in (self._looking, *self._tasks):
            task.cancel()
        await asyncio.gather(self._looking, *self._tasks, return_exceptions=True)

    async def _look(self) -> None:
        while True:
            for port in list(self.backends):
                (self.ready.add if await _is_ready(port) else self.ready.discard)(port)
            self.ready &= self.backends
            await asyncio.sleep(self._every)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pending = bytearray()  # sent by the client since the last byte of an answer
        while (there := await self._connect()) is not None:
            there[1].write(bytes(pending))
            again = await self._exchange((reader, writer), there, pending)
            there[1].close()
            if not again:
                break
        else:
            self.refused += 1
        writer.close()

    async def _exchange(self, client: Pair, backend: Pair, pending: bytearray) -> bool:
        """Carry bytes both ways until one side ends; return whether another backend may answer the pending bytes.

        As with nginx that is a GET of which no byte was answered: it changes nothing.
        """
        up = asyncio.create_task(_pump(client[0], backend[1], pending.extend))
        down = asyncio.create_task(_pump(backend[0], client[1], lambda data: pending.clear()))
        both = {up, down}
        self._tasks |= both
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        again = down.done() and not up.done() and pending.startswith(b"GET ")
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)
        self._tasks -= both
        return again

    async def _connect(self) -> Pair | None:
        """Return a connection to a backend that accepts it; None if no backend does within ten seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WAIT):
                while True:
                    ports = sorted(self.ready)
                    if ports:
                        port = ports[next(self._turn) % len(ports)]
                        with contextlib.suppress(OSError):
                            return await asyncio.open_connection("127.0.0.1", port)
                        self.ready.discard(port)  # it has ended since it was asked
                    else:
                        await asyncio.sleep(0.01)
        return None


async def _is_ready(port: int) -> bool:
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /readyz HTTP/1.1\r\nHost: balancer\r\nConnection: close\r\n\r\n")
            line = await reader.readline()
            writer.close()
            return b" 200 " in line
    return False


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, note: Callable[[bytes], object]) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(BLOCK):
            note(data)
            writer.write(data)
            await writer.drain()
