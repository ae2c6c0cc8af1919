"""``python -m fastcore demo``: a small market-data service with the dashboard, under load."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import secrets
import socket
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from fastcore import Guard, Switch, flags
from fastcore import indicators as ta
from fastcore._command_line import number
from fastcore.cache import cached
from fastcore.streaming import Hub
from fastcore.tasks import TaskQueue, progress

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["command"]

SYMBOLS = ("ACME", "BOLT", "CORE", "DELTA", "ECHO", "FLUX", "GRID", "HALO")
BARS = 400
FLAG = "demo.signal"


def command(parser: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    """Prepare ``python -m fastcore demo``."""
    parser.add_argument("--port", type=_port, default=8000, help="on loopback; 0 takes a free one (8000)")
    parser.add_argument("--seconds", type=number, metavar="N", help="end after so long; by default at Ctrl-C")
    parser.add_argument("--json", action="store_true", help="print address and token as JSON, for programs")
    return _run


def _port(text: str) -> int:
    try:
        found = int(text)
    except ValueError:
        found = -1
    if not 0 <= found < 65536:
        raise argparse.ArgumentTypeError(f"expected a port in 0..65535, got {text!r}")
    return found


def _run(options: argparse.Namespace) -> int:
    try:
        import uvicorn

        from fastcore.service import install
    except ImportError as error:
        text = f'demo: expected {error.name} to be installed; pip install "fastcore-native[dashboard]"'
        raise ImportError(text, name=error.name) from error
    token = secrets.token_urlsafe(18)
    try:
        listener = socket.create_server(("127.0.0.1", options.port))
    except OSError as error:
        text = f"--port: expected a free one, got {options.port} ({error.strerror}); 0 takes a free one"
        raise OSError(text) from error
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    demo = Demo()
    app = demo.app()
    install(app, tasks=demo.queue, hub=demo.hub, token=token, public=["dashboard", "stream"])
    config: dict[str, Any] = {"ws": "fastcore.streaming.uvicorn:HubProtocol", "log_level": "warning"}
    server = uvicorn.Server(uvicorn.Config(app, lifespan="on", timeout_graceful_shutdown=1, **config))
    if options.json:
        print(json.dumps({"dashboard": f"{address}/fastcore/", "token": token}), flush=True)
    else:
        print(f"{address}/fastcore/  the dashboard; its changes open with the token {token}")
        print(f"{address}/signal/{SYMBOLS[0]}  an answer, by the control or by the canary's candidate")
        print("Ctrl-C ends it." if options.seconds is None else f"It ends in {options.seconds:g} s.", flush=True)
    asyncio.run(_serve(server, listener, demo, address, options.seconds))
    return 0


async def _serve(server: Any, listener: socket.socket, demo: Demo, address: str, seconds: float | None) -> None:
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    load = asyncio.ensure_future(demo.load(address))
    try:
        await asyncio.wait({serving, load}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        load.cancel()
        server.should_exit = True
        found = await asyncio.gather(serving, load, return_exceptions=True)
    for error in found:
        if isinstance(error, Exception):
            print(f"fastcore: demo: {error}", file=sys.stderr)


class Demo:
    """The service: prices that move, a signal with two arms, tasks of which some fail, a stream."""

    def __init__(self) -> None:
        self.random = random.Random(7)
        self.prices = {symbol: [100.0 + 10 * n] * BARS for n, symbol in enumerate(SYMBOLS)}
        for _ in range(BARS):
            self.move()
        self.hub = Hub()
        self.queue = TaskQueue()
        self._tasks()

    def move(self) -> None:
        """Move every price once."""
        for line in self.prices.values():
            line.append(max(1.0, line[-1] * (1 + self.random.gauss(0, 0.002))))
            del line[0]

    def app(self) -> FastAPI:
        """Return the application, with its routes."""
        from fastapi import FastAPI, HTTPException

        app = FastAPI(title="fastcore demo")
        signal = Switch(FLAG, control=_slow_signal, candidate=_fast_signal, guard=Guard(min_samples=40, sample=100))
        flags.set(FLAG, "canary", "the demo begins")

        @cached(maxsize=100, ttl=2.0, name="demo.closes")
        def closes(symbol: str) -> Any:
            return np.array(self.prices[symbol])

        @app.get("/signal/{symbol}")
        def read(symbol: str) -> dict[str, Any]:
            if symbol not in self.prices:
                raise HTTPException(404, f"symbol: expected one of {', '.join(SYMBOLS)}, got {symbol!r}")
            return {"symbol": symbol, "signal": signal(closes(symbol))}

        @app.get("/fragile")
        def fragile() -> dict[str, str]:
            if self.random.random() < 0.1:
                raise HTTPException(503, "a source is not there")
            return {"state": "fine"}

        return app

    def _tasks(self) -> None:
        queue, rng = self.queue, self.random

        @queue.task(name="report", retries=2)
        async def report(symbol: str, pages: int = 8) -> str:
            for page in range(pages):
                progress(page / pages, f"page {page + 1} of {pages}")
                await asyncio.sleep(0.4)
            if rng.random() < 0.15:
                raise OSError(f"no feed for {symbol}")
            return f"{symbol}: {pages} pages"

        @queue.task(name="snapshot")
        async def snapshot(symbol: str) -> float:
            return self.prices[symbol][-1]

        queue.schedule(snapshot, SYMBOLS[0], every=5, name="snapshot of " + SYMBOLS[0])

    async def load(self, address: str) -> None:
        """Publish prices, ask for signals and submit tasks, for as long as the service runs."""
        import urllib.request

        def get(path: str) -> None:
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            try:
                opener.open(address + path, timeout=10).close()
            except OSError:
                pass  # those that fail are part of what is shown

        for n in range(sys.maxsize):
            await asyncio.sleep(0.1)
            symbol = self.random.choice(SYMBOLS)
            await asyncio.to_thread(get, "/fragile" if n % 7 == 0 else f"/signal/{symbol}")
            if n % 10 == 0:
                self.move()
                for name, line in self.prices.items():
                    self.hub.publish(f"prices.{name}", {"price": line[-1], "at": time.time()}, key=name)
            if n % 40 == 0:
                await self.queue.asubmit("report", symbol)


def _slow_signal(closes: Any) -> str:
    """Compare two averages, in plain Python."""
    short, long = (sum(closes[-n:].tolist()) / n for n in (20, 200))
    for n in range(20, len(closes)):  # as such services do: every bar again
        short = sum(closes[n - 20 : n].tolist()) / 20
    return "buy" if short > long else "sell"


def _fast_signal(closes: Any) -> str:
    """Compare the same averages, by the compiled indicators."""
    short = ta.sma(closes[:-1], 20)[-1]
    return "buy" if short > ta.sma(closes, 200)[-1] else "sell"
