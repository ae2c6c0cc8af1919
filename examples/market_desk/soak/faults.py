"""Faults made on purpose, one after the other; each reports its result."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from examples.market_desk.fast.optimizations import FLAGS
from examples.market_desk.http_client import PREFER, HttpClient
from examples.market_desk.soak.disk import Disk
from examples.market_desk.soak.server import CANARIES, TOKEN
from examples.market_desk.soak.servers import Server, Servers
from examples.market_desk.soak.traffic import Ledger, Subscribers
from fastcore.streaming import Client

__all__ = ["FAULTS", "GENTLE", "Faults", "Told"]

STUCK = VANISHING = 20  # clients
STEP = 3600.0  # seconds by which clocks are set
CANARY = 60.0  # seconds within which a bad canary must be rolled back
FULL = 4.0  # seconds for which the disk stays full once an order was refused ...
REFUSING = 20.0  # ... and for which one is waited for
LARGE = ["AAPL", "IBM", "MSFT"]  # symbols of a report whose result may not fit onto a full disk ...
MOST = 16  # ... nor into the pages that the store has free: each time twice as many are ordered, up to so many
RECOVERY = 60.0  # seconds that recovery is waited for
CLOSING = 40.0  # seconds within which stuck and vanished clients must be closed
ADMIN = f"Authorization: Bearer {TOKEN}\r\n"


@dataclass(frozen=True)
class Told:
    """The result of a fault: seconds since the soak began, its name, whether it passed, and details."""

    at: float
    name: str
    well: bool
    text: str


@dataclass
class Faults:
    """Makes the faults, and keeps their results.

    Attributes
    ----------
    recoveries, canaries : list of float
        Seconds until everything was back after ``kill -9``, and until a canary was rolled back.
    lost : int
        Requests that failed in a rolling restart.
    """

    servers: Servers
    subscribers: Subscribers
    disk: Disk
    ledger: Ledger
    failures: Callable[[], int]  # requests and probes that failed so far
    began: float
    told: list[Told] = field(default_factory=list)
    recoveries: list[float] = field(default_factory=list)
    canaries: list[float] = field(default_factory=list)
    lost: int = 0
    restarts: int = 0

    async def make(self, name: str) -> Told:
        """Make one, and return its result."""
        at = time.perf_counter() - self.began
        work: Callable[[], Awaitable[str]] = FAULTS[name].__get__(self)
        try:
            told = Told(at, name, True, await work())
        except (OSError, EOFError, ValueError, LookupError, TimeoutError) as error:
            told = Told(at, name, False, f"{type(error).__name__}: {error}")
        self.told.append(told)
        return told

    async def kill_one(self) -> str:
        """Kill one server; the other answers meanwhile."""
        server = self._next()
        took = await self._recovered(server, server.end(kill=True))
        return f"server {server.number} was back after {took:.1f} s"

    async def kill_both(self) -> str:
        """Kill both servers at once: an announced outage."""
        async with self.servers.announced():
            ends = asyncio.gather(*(server.end(kill=True) for server in self.servers.both))
            took = await self._recovered(self.servers.both[0], ends)
        self.subscribers.forgive()
        return f"probe, tasks and clients were back after {took:.1f} s"

    async def rolling_restart(self) -> str:
        """Restart both servers, one after the other, as a deployment does."""
        before = self.failures()
        for server in self.servers.both:
            await server.end(kill=False)
            await server.ready()
            self.restarts += 1
        await asyncio.sleep(1.0)
        lost = self.failures() - before
        self.lost += lost
        if lost:
            raise ValueError(f"expected every request to be answered, {lost} failed")
        return "two servers were restarted, every request was answered"

    async def flip_flags(self) -> str:
        """Switch every optimisation off and on again, for both servers."""
        http = HttpClient(self._next().port)
        for name in FLAGS:
            for mode in ("control", "candidate"):
                answer = await http.put(f"/fastcore/admin/flags/{name}", {"mode": mode, "reason": "soak"}, ADMIN)
                if answer.status != 200:
                    raise ValueError(f"{name}: expected 200, got {answer.status} {answer.body[:100]!r}")
                await asyncio.sleep(0.3)
        http.close()
        return f"{len(FLAGS)} flags went off and on"

    async def stuck_clients(self) -> str:
        """Connect clients that read nothing; the server must close them, and serve the others."""
        sockets = [await asyncio.to_thread(self._subscribe, small=True) for _ in range(STUCK)]
        began = time.perf_counter()
        try:
            async with asyncio.timeout(CLOSING):
                await self._clients_are(self.subscribers.count)
        finally:
            for one in sockets:
                one.close()
        return f"{STUCK} of {STUCK} were closed after {time.perf_counter() - began:.0f} s"

    async def vanishing_clients(self) -> str:
        """Connect clients and cut them off: of the stream, and in the middle of a request."""
        for _ in range(VANISHING):
            for begin in (self._subscribe, self._half_a_request):
                one = await asyncio.to_thread(begin)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.close()  # a reset
        async with asyncio.timeout(CLOSING):
            await self._clients_are(self.subscribers.count)
        return f"{2 * VANISHING} were cut off and closed"

    async def bad_canaries(self) -> str:
        """Begin canaries of versions that are slow, wrong or raise; the guard must roll each back."""
        http, took = HttpClient(self._next().port), []
        for kind, why in CANARIES.items():
            began = time.perf_counter()
            if (await http.post(f"/soak/canaries/{kind}", None)).json() != "canary":
                raise ValueError(f"{kind}: the canary did not begin")
            async with asyncio.timeout(CANARY):
                while (found := (await http.get(f"/soak/canaries/{kind}")).json())["mode"] == "canary":
                    if not found["right"]:
                        raise ValueError(f"{kind}: a caller got a wrong answer")
                    await asyncio.sleep(0.002)
            if why not in found["reason"]:
                raise ValueError(f"{kind}: expected it to be rolled back since it is {why}, got {found['reason']!r}")
            self.canaries.append(time.perf_counter() - began)
            took.append(f"{kind} after {self.canaries[-1]:.1f} s")
        http.close()
        return f"rolled back: {', '.join(took)}; every answer was right"

    async def full_disk(self) -> str:
        """Fill the disk for both servers; reads continue, and no acknowledged task is lost."""
        if not self.disk.kind:
            return "left out: needs Linux"
        pids, began = [server.pid for server in self.servers.both], time.perf_counter()
        before, count = self.ledger.refused, 1
        await asyncio.to_thread(self.disk.fill, pids)
        try:
            while self.ledger.refused == before:
                if time.perf_counter() - began > REFUSING:
                    raise ValueError(f"expected an order to be refused within {REFUSING:g} s of a full disk, got none")
                await asyncio.gather(*(self._order() for _ in range(count)))
                count = min(MOST, 2 * count)
            await asyncio.sleep(FULL)
        finally:
            await asyncio.to_thread(self.disk.free, pids)
        full, began, refused = time.perf_counter() - began, time.perf_counter(), self.ledger.refused - before
        async with asyncio.timeout(RECOVERY):
            await self._task_done()
        took = time.perf_counter() - began
        return (
            f"full for {full:.1f} s ({self.disk.kind}), {refused} orders refused; a task ended {took:.1f} s after that"
        )

    async def clock_steps(self) -> str:
        """Set the clock of a server forward, and back again; its bars and its tasks go on."""
        http = HttpClient(self._next().port)
        for seconds in (STEP, -STEP):
            await http.post(f"/soak/clock?seconds={seconds:g}", None)
            before = (await http.get("/status")).json()["bar"]
            await asyncio.sleep(4.0)
            moved = (await http.get("/status")).json()["bar"] - before
            if not 2 <= moved <= 7:
                raise ValueError(f"clock set by {seconds:g} s: expected about 4 bars in 4 s, got {moved}")
        http.close()
        async with asyncio.timeout(RECOVERY):
            await self._task_done()
        return f"set {STEP:g} s forward and back; bars and tasks went on"

    # -- parts -------------------------------------------------------------------------------------------------------

    def _next(self) -> Server:
        """Return one server and the other in turn."""
        return self.servers.both[len(self.told) % 2]

    async def _recovered(self, server: Server, ending: Awaitable[Any]) -> float:
        """Kill, and return after how many seconds a probe, a task and a new client of the stream are back."""
        began = time.perf_counter()
        await ending
        async with asyncio.timeout(RECOVERY):
            await asyncio.gather(*(one.ready() for one in self.servers.both))
            await self._task_done()
            async with Client(f"ws://127.0.0.1:{server.port}/stream", ["prices.AAPL"], backoff=(0.1, 1.0)) as client:
                async for _ in client:
                    break
        took = time.perf_counter() - began
        self.recoveries.append(took)
        return took

    async def _task_done(self) -> None:
        """Order a task until it is acknowledged, and wait for its result."""
        http = HttpClient(self.servers.port)
        while (answer := await http.post("/generate-report", ["AAPL"], PREFER)).status != 202:
            await asyncio.sleep(0.1)
        url = answer.json()["result_url"]
        while (await http.get(f"{url}?wait=5")).status != 200:
            await asyncio.sleep(0.1)
        http.close()

    async def _order(self) -> None:
        """Order a report; once acknowledged, it must succeed like every other task."""
        http = HttpClient(self.servers.port)
        answer = await http.post("/generate-report", LARGE, PREFER)
        http.close()
        self.ledger.order(answer)
        await asyncio.sleep(0.1)

    async def _clients_are(self, count: int) -> None:
        """Wait until both servers together have `count` clients."""
        while True:
            total = 0
            for server in self.servers.both:
                http = HttpClient(server.port)
                total += (await http.get("/status")).json()["clients"]
                http.close()
            if total <= count:
                return
            await asyncio.sleep(0.5)

    def _subscribe(self, small: bool = False) -> socket.socket:
        """Return a connection that has subscribed to every price."""
        one = socket.socket()
        if small:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        one.settimeout(10)
        one.connect(("127.0.0.1", self._next().port))
        one.sendall(
            b"GET /stream?topics=prices.* HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c29hayBvZiB0aGUgZGVzaw==\r\n\r\n"
        )
        if b"101" not in one.recv(64):
            raise ConnectionError("a client of the stream was refused")
        return one

    def _half_a_request(self) -> socket.socket:
        one = socket.create_connection(("127.0.0.1", self._next().port), timeout=10)
        with suppress(OSError):
            one.sendall(b"POST /generate-report HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n[")
        return one


FAULTS: dict[str, Callable[[Faults], Awaitable[str]]] = {
    "flags": Faults.flip_flags,
    "kill": Faults.kill_one,
    "stuck": Faults.stuck_clients,
    "canaries": Faults.bad_canaries,
    "rolling": Faults.rolling_restart,
    "vanish": Faults.vanishing_clients,
    "disk": Faults.full_disk,
    "clock": Faults.clock_steps,
    "killall": Faults.kill_both,
}
GENTLE = ("flags", "stuck", "canaries", "vanish", "disk", "clock")  # those after which the same processes run
