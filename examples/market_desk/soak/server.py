"""One server of a soak: the fast service, with routes that let faults happen inside it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from examples.market_desk.data.market import Market
from examples.market_desk.fast.app import build_app
from examples.market_desk.fast.optimizations import choose
from examples.market_desk.fast.services import OptimizedServices
from examples.market_desk.serving import PROTOCOLS, serve_app
from fastcore import Guard, Switch, flags

__all__ = ["CANARIES", "TOKEN", "SteppedClock", "soak_app", "soak_server"]

CANARIES = {"slow": "slower", "wrong": "differ", "raising": "raised"}  # a word of why each is rolled back
GUARD = Guard(min_samples=20, min_seconds=1.0, sample=50.0)
SLOW = 0.02  # seconds that the slow candidate takes longer
TOKEN = "soak-on-loopback-only"


class SteppedClock:
    """Seconds since 1970, `offset` seconds off: the clock that a server is given in place of the machine's."""

    def __init__(self) -> None:
        self.offset = 0.0

    def __call__(self) -> float:
        return time.time() + self.offset


def soak_app(folder: Path, number: int) -> FastAPI:
    """Return the application of server `number`; both have their tasks and their journal in `folder`."""
    choose("after")
    clock = SteppedClock()
    services = OptimizedServices(
        Market(clock=clock), folder / f"desk-{number}.db", store=f"sqlite:///{folder / 'tasks.db'}", clock=clock
    )
    app = build_app(services, token=TOKEN)
    canaries = {kind: bad_canary(kind, services) for kind in CANARIES}

    @app.post("/soak/clock")
    async def step(seconds: float) -> float:
        clock.offset += seconds
        return clock.offset

    @app.post("/soak/canaries/{kind}")
    async def begin(kind: str) -> str:
        flag = canaries[kind].flag
        await asyncio.to_thread(flags.resume, flag)
        await asyncio.to_thread(flags.set, flag, "control")
        await asyncio.to_thread(flags.set, flag, "canary", f"soak: {kind}")
        return flags.get(flag).mode

    @app.get("/soak/canaries/{kind}")
    async def look(kind: str) -> dict[str, Any]:
        """Call the Switch, and return whether its result is that of the control."""
        switch = canaries[kind]
        found = await asyncio.to_thread(switch, "AAPL")
        setting = flags.get(switch.flag)
        return {"right": found["symbol"] == "AAPL", "mode": setting.mode, "reason": setting.reason}

    return app


def bad_canary(kind: str, services: OptimizedServices) -> Switch[Any, Any]:
    """Return a Switch whose candidate is slow, wrong or raises."""
    origin = services.market.origin

    def control(symbol: str) -> dict[str, Any]:
        return {"symbol": symbol, "origin": origin[symbol]}  # nothing that a bar changes between two calls

    def candidate(symbol: str) -> dict[str, Any]:
        if kind == "raising":
            raise RuntimeError("a candidate that raises")
        if kind == "slow":
            time.sleep(SLOW)
        return control(symbol) | ({"symbol": "WRONG"} if kind == "wrong" else {})

    return Switch(f"soak.{kind}", control=control, candidate=candidate, flag=f"soak_{kind}", guard=GUARD)


def soak_server(port: int, folder: Path, number: int) -> int:
    """Serve until standard input ends, or SIGTERM."""
    return serve_app(lambda: soak_app(folder, number), port, PROTOCOLS)
