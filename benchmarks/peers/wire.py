"""A page that shows 100 symbols for 5.6 minutes: REST polling compared with one stream, in requests, bytes and delay.

Run ``python benchmarks/peers/wire.py``. The server is a separate process under uvicorn; both ways go through a relay
that counts the bytes of the TCP streams in both directions, handshakes and headers included. The 336 seconds are
steps of a simulated market, not waited for; the stream's 22 pings and their answers are added. Delay is measured in
real time, from just before ``hub.publish`` in the server to the callback of `fastcore.streaming.Client` here.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(ROOT)]

from harness import Ratio, Report, Timing, versions  # noqa: E402

SYMBOLS = [f"{a}{b}{c}" for a in "ABCDE" for b in "KLMN" for c in "STUVW"]
SECONDS = 336  # 5.6 minutes
PING = 15.0
PING_BYTES = 2 + 2 + 2 + 4 + 2  # a frame of [6], and a masked one back
NORMAL_SHARE = 0.35  # of the symbols have a trade in a second, where not all have


class Market:
    """Quotes that move by cents, a second at a time; the fields are those of a usual quote endpoint."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(5)
        n = len(SYMBOLS)
        self.open = np.round(self.rng.uniform(20, 400, n), 2)
        self.price, self.high, self.low = self.open.copy(), self.open.copy(), self.open.copy()
        self.volume = self.rng.integers(1_000, 5_000_000, n)
        self.time = np.full(n, 1_700_000_000_000)
        self.now = 1_700_000_000_000

    def step(self, share: float) -> np.ndarray:
        """Go on by a second; returns the places of the symbols that were traded."""
        self.now += 1000
        traded = np.flatnonzero(self.rng.random(len(SYMBOLS)) < share)
        self.price[traded] = np.round(self.price[traded] + self.rng.integers(-5, 6, traded.size) / 100, 2)
        self.volume[traded] += 100 * self.rng.integers(1, 40, traded.size)
        self.high, self.low = np.maximum(self.high, self.price), np.minimum(self.low, self.price)
        self.time[traded] = self.now - self.rng.integers(0, 1000, traded.size)
        return traded

    def quote(self, i: int) -> dict[str, Any]:
        price, first = float(self.price[i]), float(self.open[i])
        return {
            "symbol": SYMBOLS[i],
            "price": price,
            "change": round(price - first, 2),
            "change_percent": round(100 * (price / first - 1), 2),
            "open": first,
            "high": float(self.high[i]),
            "low": float(self.low[i]),
            "volume": int(self.volume[i]),
            "timestamp": int(self.time[i]),
        }


# ---- the server, in a separate process ----


def serve() -> None:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.middleware.gzip import GZipMiddleware
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Mount, Route

    from fastcore.framing import RowPacker
    from fastcore.streaming import Hub
    from fastcore.streaming.uvicorn import HubProtocol

    market, hub = Market(), Hub(ping=3600.0, pong=60.0)
    rows = RowPacker(("symbol", "price", "volume", "timestamp"), rows="array")
    cents = RowPacker(("id", "cents", "volume", "age"), rows="array")
    names = np.array(SYMBOLS, dtype=object)
    requests = 0

    async def prices(request: Request) -> JSONResponse:
        return JSONResponse([market.quote(i) for i in range(len(SYMBOLS))])

    async def price(request: Request) -> JSONResponse:
        return JSONResponse(market.quote(SYMBOLS.index(request.path_params["symbol"])))

    async def step(request: Request) -> JSONResponse:
        """A second of trade; what is published is said in `how`."""
        how, share = request.query_params["how"], float(request.query_params["share"])
        if how == "begin":  # what every new page needs once
            hub.publish("quotes", [market.quote(i) for i in range(len(SYMBOLS))], key="all")
            return JSONResponse(1)
        traded = market.step(share)
        if how == "quotes":  # whole quotes, a message each
            for i in traded.tolist():
                hub.publish(f"prices.{SYMBOLS[i]}", market.quote(i), key=SYMBOLS[i])
            return JSONResponse(len(traded))
        if how == "rows":  # what has changed, in one message
            columns = (names[traded], market.price[traded], market.volume[traded], market.time[traded])
            hub.publish_packed("prices", rows.pack(columns))
            return JSONResponse(1)
        if how == "cents":  # the same in integers: the symbol's place in the list, cents, milliseconds ago
            price = np.rint(100 * market.price[traded]).astype(np.int64)
            columns = (traded, price, market.volume[traded], market.now - market.time[traded])
            hub.publish_packed("prices", cents.pack(columns))
            return JSONResponse(1)
        return JSONResponse(0)

    async def pace(request: Request) -> JSONResponse:
        """Publish in real time: a fixed number of messages per second, spread evenly."""
        rate, seconds = int(request.query_params["rate"]), float(request.query_params["seconds"])
        loop = asyncio.get_running_loop()
        begin, total = loop.time(), round(rate * seconds)
        for n in range(total):
            await asyncio.sleep(max(0.0, begin + n / rate - loop.time()))
            quote = market.quote(n % len(SYMBOLS))
            hub.publish(f"prices.{quote['symbol']}", {**quote, "at": time.monotonic_ns()}, key=quote["symbol"])
        return JSONResponse(total)

    async def count(request: Request) -> JSONResponse:
        return JSONResponse(requests)

    public = [Route("/prices", prices), Route("/prices/{symbol}", price)]
    control = [Route("/step", step), Route("/pace", pace), Route("/count", count)]
    zipped = GZipMiddleware(Starlette(routes=public), minimum_size=500)
    app = Starlette(routes=[*public, Mount("/gzip", zipped), Mount("/control", routes=control)])
    hub.route(app, "/stream")

    async def counted(scope: Any, receive: Any, send: Any) -> None:
        nonlocal requests
        requests += scope["type"] != "lifespan" and not scope["path"].startswith("/control/")
        await app(scope, receive, send)

    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(counted, ws=HubProtocol, log_level="warning", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])


@contextlib.contextmanager
def server() -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, str(HERE / "wire.py"), "serve"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


# ---- the two ways, and what carries them ----


class Relay:
    """Carries TCP connections to the server, and counts their bytes."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.bytes = 0
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Relay:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", self.target)
        for source, sink in ((reader, there[1]), (there[0], writer)):
            task = asyncio.create_task(self._pump(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(1 << 16):
                self.bytes += len(data)
                sink.write(data)
        sink.close()


class Control:
    """Asks the server directly, past the relay."""

    def __init__(self, port: int) -> None:
        self._link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(self, path: str) -> int:
        self._link.request("GET", f"/control{path}")
        return int(json.load(self._link.getresponse()))


HEADERS = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "User-Agent": "python-httpx/0.28.1"}


class Poller:
    """Asks over one connection that is kept, with the few headers a program sends; a browser sends some 500 bytes."""

    def __init__(self, port: int, paths: list[str]) -> None:
        self._link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._paths = paths

    def poll(self) -> None:
        for path in self._paths:
            self._link.putrequest("GET", path, skip_accept_encoding=True)
            for name, value in HEADERS.items():
                self._link.putheader(name, value)
            self._link.endheaders()
            answer = self._link.getresponse()
            if answer.status != 200 or not answer.read():
                raise RuntimeError(f"{path}: expected 200 and a body, got {answer.status}")

    def close(self) -> None:
        self._link.close()


async def polled(port: int, share: float, paths: list[str]) -> tuple[int, int]:
    """Requests and bytes of polling once in each step."""
    control = Control(port)
    before = control.ask("/count")
    async with Relay(port) as relay:
        poller = Poller(relay.port, paths)
        for _ in range(SECONDS):
            await asyncio.to_thread(control.ask, f"/step?how=none&share={share}")
            await asyncio.to_thread(poller.poll)
        poller.close()
        return control.ask("/count") - before, relay.bytes


async def streamed(port: int, share: float, how: str) -> tuple[int, int]:
    """Requests and bytes of one stream over the same steps; every message published has to come."""
    from fastcore.streaming import Client

    control = Control(port)
    before = control.ask("/count")
    published = control.ask(f"/step?how=begin&share={share}")
    topics = ["quotes", "prices.*" if how == "quotes" else "prices"]
    async with Relay(port) as relay:
        options: dict[str, Any] = {
            "connect_options": {"proxy": None},
            "newest": True,
            "on_message": lambda message: None,
        }
        async with Client(f"ws://127.0.0.1:{relay.port}/stream", topics, **options) as client:
            await client.connected(30)
            await arrived(client, published)
            for _ in range(SECONDS):
                published += await asyncio.to_thread(control.ask, f"/step?how={how}&share={share}")
                await arrived(client, published)
            if client.stats()[1:3] != (1, published):
                raise RuntimeError(f"expected 1 connection and {published} messages, got {client.stats()}")
        return control.ask("/count") - before, relay.bytes + int(SECONDS / PING) * PING_BYTES


async def arrived(client: Any, messages: int) -> None:
    async with asyncio.timeout(30):
        while client.stats().messages < messages:
            await asyncio.sleep(0)


async def delays(port: int, clients: int, rate: int, seconds: float) -> list[float]:
    """Seconds from publish to callback, over all clients."""
    from fastcore.streaming import Client, Message

    found: list[float] = []

    def take(message: Message) -> None:
        found.append((time.monotonic_ns() - message.data["at"]) / 1e9)

    @contextlib.asynccontextmanager
    async def connected() -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(clients):
                options: dict[str, Any] = {"connect_options": {"proxy": None}, "on_message": take}
                client = Client(f"ws://127.0.0.1:{port}/stream", ["prices.*"], **options)
                await stack.enter_async_context(client)
                await client.connected(60)
            yield

    async with connected():
        total = await asyncio.to_thread(Control(port).ask, f"/pace?rate={rate}&seconds={seconds}")
        async with asyncio.timeout(60):
            while len(found) < total * clients:
                await asyncio.sleep(0.01)
    return found


# ---- the report ----


def traffic(report: Report) -> None:
    single = [f"/prices/{symbol}" for symbol in SYMBOLS]
    ways = {"one for all symbols": ["/prices"], "one for all, gzip": ["/gzip/prices"], "one for each symbol": single}
    for share, case in ((1.0, "all are traded each second"), (NORMAL_SHARE, f"{NORMAL_SHARE:.0%} are")):
        polls, streams = {}, {}  # each of a separate server, so that all see the same trades
        for name, paths in ways.items():
            with server() as port:
                polls[name] = asyncio.run(polled(port, share, paths))
        for how in ("cents", "rows", "quotes"):
            with server() as port:
                streams[how] = asyncio.run(streamed(port, share, how))
        for name, (requests, size) in {**polls, **streams}.items():
            report.notes.append(f"100 symbols, {case}: {name}: {requests} requests, {size / 1024:.0f} KiB")
            print(report.notes[-1], flush=True)
        for name, (requests, size) in polls.items():
            ratios = {}
            if name == "one for all symbols" and share == 1.0:
                fewer = 100 * (1 - max(n for n, _ in streams.values()) / requests)
                ratios["% fewer requests"] = Ratio(fewer, 99.7)
            for how, (_, ours) in streams.items():
                fewer = 100 * (1 - ours / size)
                if name.endswith("gzip") or how == "quotes":  # beyond the scenario: JSON polls, and a stream of columns
                    report.notes.append(f"{case}; polls, {name}: {fewer:.1f} % fewer bytes as {how}")
                    print(report.notes[-1], flush=True)
                else:
                    ratios[f"% fewer bytes, {how}"] = Ratio(fewer, 92.0)
            if ratios:
                report.add(f"{case}; polls, {name}", {}, ratios)


def delay(report: Report) -> None:
    for clients, rate, seconds in ((1, 100, 8.0), (1, 1000, 8.0), (100, 100, 8.0)):
        with server() as port:
            found = np.array(asyncio.run(delays(port, clients, rate, seconds)))
        p50, p99 = (float(value) for value in np.percentile(found, (50, 99)))
        report.add(
            f"publish to callback, {clients} x {rate}/s: p50 [..p99]",
            {"fastcore": Timing(p50, p50, p99, 1)},
            {
                "p99 in s": Ratio(p99, 2.0, at_least=False),
                "% less than 30 s between two looks": Ratio(100 * (1 - p99 / 30), 95.0),
            },
        )


def main() -> None:
    report = Report(
        "wire",
        "Streaming compared with polling",
        versions("uvicorn", "starlette", "websockets"),
        notes=[
            "One page watches 100 symbols for 336 s. Polling asks once a second, over one connection that is kept, for "
            "JSON quotes of nine fields: in one request for all symbols, in the same with gzip, or in one for each.",
            "The stream carries all quotes once, then of the symbols traded in that second: `rows`, one message with a "
            "row [symbol, price, volume, time] for each, from arrays; `cents`, the same in integers; or `quotes`, a "
            "message for each, the same object as over REST. Compression as the client negotiates it by itself.",
            "Bytes are those of the TCP streams, both directions, with handshakes, headers and pings.",
        ],
    )
    traffic(report)
    delay(report)
    report.write()


if __name__ == "__main__":
    serve() if sys.argv[1:] == ["serve"] else main()
