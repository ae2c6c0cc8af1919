"""The three applications over the same market, and the routes by which their answers are compared."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import httpx
from fastapi import FastAPI

from examples.market_desk.data.market import Market
from examples.market_desk.data.universe import Universe

Request = tuple[str, str, Any]

REQUESTS: dict[str, Request] = {
    "an analysis": ("GET", "/technical-analysis/AAPL", None),
    "one over few bars": ("GET", "/technical-analysis/FB?bars=50", None),
    "one over all bars": ("GET", "/technical-analysis/BS010?bars=600", None),
    "a batch": ("GET", "/technical-analysis?symbols=AAPL,BS001,AAPL,BS011", None),
    "a batch without symbols": ("GET", "/technical-analysis?symbols=,", None),
    "an unknown symbol": ("GET", "/technical-analysis/ZZZ", None),
    "an unknown symbol in a batch": ("GET", "/technical-analysis?symbols=IBM,ZZZ", None),
    "too few bars": ("GET", "/technical-analysis/IBM?bars=49", None),
    "a signal": ("GET", "/signals/IBM", None),
    "prices": ("GET", "/prices?symbols=AAPL,BS002", None),
    "unknown prices": ("GET", "/prices?symbols=ZZZ", None),
    "a job": ("POST", "/jobs/snapshot", None),
    "snapshots": ("GET", "/snapshots/BS004", None),
    "a report": ("POST", "/generate-report", ["GOOG", "BS001"]),
    "a report of nothing": ("POST", "/generate-report", []),
    "a report of an unknown symbol": ("POST", "/generate-report", ["ZZZ"]),
    "a daily report": ("POST", "/jobs/daily_report", None),
    "a batch by priority": ("POST", "/batch-analysis", {"AAPL": 5, "IBM": 0, "FB": 5}),
    "a crawl of nothing": ("POST", "/jobs/crawl_news", None),
    "a report of more symbols than there are": ("POST", "/generate-report", ["AAPL"] * 501),
    "a report of NaN": ("POST", "/generate-report", b"[NaN]"),
    "a report of half a surrogate pair": ("POST", "/generate-report", b'[["\\ud800"]]'),
    "a report of no JSON": ("POST", "/generate-report", b"["),
    "priorities of NaN": ("POST", "/batch-analysis", b'{"AAPL": NaN}'),
    "an analysis of a long name": ("GET", "/technical-analysis/" + 5000 * "A", None),
    "a batch of 501": ("GET", "/technical-analysis?symbols=" + ",".join(501 * ["IBM"]), None),
    "an unknown job": ("POST", "/jobs/nothing", None),
    "news": ("GET", "/news", None),
    "alerts": ("GET", "/alerts", None),
}


@cache
def universe() -> Universe:
    return Universe.load(20)


def market() -> Market:
    """A market that stands still, the same each time."""
    return Market(universe(), clock=lambda: 1000.0)


def talk(app: FastAPI, conversation: Callable[[httpx.AsyncClient], Awaitable[Any]]) -> Any:
    """Hold a conversation with a started application."""

    async def run() -> Any:
        transport = httpx.ASGITransport(app=app)
        async with app.router.lifespan_context(app):
            async with httpx.AsyncClient(transport=transport, base_url="http://desk", timeout=60) as client:
                return await conversation(client)

    return asyncio.run(run())


def answers(app: FastAPI) -> dict[str, tuple[int, Any]]:
    """Return the status and the body of every request, asked one after the other."""

    async def ask(client: httpx.AsyncClient) -> dict[str, tuple[int, Any]]:
        found = {}
        for name, (method, path, body) in REQUESTS.items():
            sent: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
            answer = await client.request(method, path, **sent)
            found[name] = (answer.status_code, answer.json())
        return found

    found: dict[str, tuple[int, Any]] = talk(app, ask)
    return found


def difference(one: Any, other: Any, accuracy: float, where: str = "") -> str:
    """Return where two answers differ by more than `accuracy` of a number, or an empty text."""
    if isinstance(one, dict) and isinstance(other, dict):
        if one.keys() != other.keys():
            return f"{where}: {one.keys() ^ other.keys()}"
        return "".join(difference(one[name], other[name], accuracy, f"{where}/{name}") for name in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)) and len(one) == len(other):
        pairs = enumerate(zip(one, other))
        return "".join(difference(a, b, accuracy, f"{where}/{place}") for place, (a, b) in pairs)
    if isinstance(one, float) and isinstance(other, (int, float)):
        return "" if math.isclose(one, other, rel_tol=accuracy, abs_tol=accuracy) else f"{where}: {one} {other}; "
    return "" if one == other and type(one) is type(other) else f"{where}: {str(one)[:200]} {str(other)[:200]}; "
