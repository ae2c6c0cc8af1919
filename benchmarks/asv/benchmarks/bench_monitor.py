"""Monitor: two hundred requests with and without the middleware, the metrics of a hot path, the page of Prometheus."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.features import cpu_timer, feature, needs

timer = cpu_timer

MetricsMiddleware = feature("fastcore.monitor:MetricsMiddleware")
exposition = feature("fastcore.monitor:exposition")
counter = feature("fastcore.metrics:counter")
latency = feature("fastcore.metrics:latency")
REQUESTS = 200
CALLS = 1_000

App = Callable[[Any, Any, Any], Awaitable[None]]


async def bare(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: Any) -> None:
    return None


async def requests(app: App) -> None:
    for _ in range(REQUESTS):
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/prices/AAPL",
            "raw_path": b"/prices/AAPL",
            "root_path": "",
            "query_string": b"",
            "headers": [(b"host", b"bench")],
            "client": None,
            "server": None,
        }
        await app(scope, receive, send)


def run(app: App) -> None:
    """Without a loop: the application never waits."""
    try:
        requests(app).send(None)
    except StopIteration:
        return
    raise RuntimeError("bench_monitor: expected an application that never waits, got one that does")


@functools.cache
def watched() -> App:
    return MetricsMiddleware(bare)


@functools.cache
def counted() -> Any:
    return counter("bench_monitor_total", path="x")


@functools.cache
def timed() -> Any:
    return latency("bench_monitor_seconds", path="x")


def time_200_requests_alone() -> None:
    run(bare)


@needs(MetricsMiddleware)
def time_200_requests_with_metrics() -> None:
    run(watched())


@needs(counter)
def time_counter_add() -> None:
    add = counted().add
    for _ in range(CALLS):
        add()


@needs(latency)
def time_latency_observe() -> None:
    observe = timed().observe
    for _ in range(CALLS):
        observe(1.5e-6)


@functools.cache
def filled() -> bool:
    for number in range(50):
        sketch = latency("bench_monitor_page_seconds", path=str(number))
        for step in range(50):
            sketch.observe(0.001 * 1.1**step)
    return True


@needs(latency, exposition)
def time_page_of_prometheus() -> None:
    filled()
    exposition()
