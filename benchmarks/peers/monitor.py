"""Cost of monitoring: the middleware per request, a metric on a hot path, the page that Prometheus reads.

The middleware is timed on a bare ASGI application and on a FastAPI application with routes, with and without it in
turns; the time of the application alone is subtracted. The peer, the middleware of prometheus-fastapi-instrumentator,
is measured in the same way if it is installed. Metrics are called in a generated loop whose own time is subtracted; an
empty method of a C type, called in the same way, is the lower bound.

Usage: python benchmarks/peers/monitor.py [--rounds 41]
"""

from __future__ import annotations

import argparse
import itertools
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Counter, Histogram

from fastcore import flags, metrics
from fastcore.monitor import MetricsMiddleware, exposition, measure_execution_time
from fastcore.service.dashboard import Prices, Sources
from fastcore.service.dashboard.recorder import Recorder
from fastcore.tasks import TaskQueue

REQUESTS = 200  # a contender's call
CALLS = 1000
GOAL_REQUEST = 30.0  # microseconds
GOAL_METRIC = 15.0  # nanoseconds
FLAG = "bench_monitor"

App = Callable[[Any, Any, Any], Awaitable[None]]


async def bare(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"ok"})


def routed() -> FastAPI:
    """Twenty routes, of which the last answers."""
    app = FastAPI()
    for number in range(19):
        app.add_api_route(f"/other{number}/{{name}}", lambda name: name)

    @app.get("/prices/{symbol}")
    async def price(symbol: str) -> dict[str, str]:
        return {"symbol": symbol}

    return app


def requests(app: App) -> Callable[[], None]:
    """A contender that sends REQUESTS requests, without a server and without a loop: the application never waits."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        return None

    async def run() -> None:
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

    def contender() -> None:
        try:
            run().send(None)
        except StopIteration:
            return
        raise RuntimeError("the application waited")

    return contender


def instrumented(app: App) -> App | None:
    try:
        from prometheus_fastapi_instrumentator.middleware import PrometheusInstrumentatorMiddleware
    except ImportError:
        return None
    made: App = PrometheusInstrumentatorMiddleware(app, registry=CollectorRegistry())  # type: ignore[arg-type]
    return made


def middleware(report: harness.Report, rounds: int) -> None:
    flags.declare(FLAG)
    flags.set(FLAG, "candidate")
    for case, make in (("bare ASGI application", lambda: bare), ("FastAPI, 20 routes", routed)):
        contenders = {
            "alone": make(),
            "with metrics": MetricsMiddleware(make()),
            "with metrics by arm": MetricsMiddleware(make(), flag=FLAG),
        }
        peer = instrumented(make())
        if peer is not None:
            contenders["with instrumentator"] = peer
        timings = harness.interleave(
            {name: requests(app) for name, app in contenders.items()},
            rounds=rounds,
            per_call=REQUESTS,
            clock=time.thread_time,
        )
        alone = timings["alone"].median
        added = {name: (timing.median - alone) * 1e6 for name, timing in timings.items() if name != "alone"}
        ratios = {
            f"{name}: us added to a request": harness.Ratio(us, GOAL_REQUEST, at_least=False)
            for name, us in added.items()
            if "instrumentator" not in name
        }
        report.add(case, timings, ratios)
        if peer is not None:
            text = f"{case}: with instrumentator: {added['with instrumentator']:.1f} us added to a request"
            report.notes.append(text)
            print(f"{'':<34}   {text}")


def loop(statement: str, **names: Any) -> Callable[[], None]:
    """A contender that runs a statement CALLS times, ten written out a turn so that the loop weighs little."""
    body = "; ".join([statement] * 10)
    head = ", ".join(f"{name}={name}" for name in ("turns", *names))
    scope: dict[str, Any] = {"turns": range(CALLS // 10), **names}
    exec(f"def many({head}):\n for _ in turns:\n  {body}", scope)
    made: Callable[[], None] = scope["many"]
    return made


def instruments(report: harness.Report, rounds: int) -> None:
    registry = CollectorRegistry()
    counter = metrics.counter("bench_monitor_total", path="x")
    sketch = metrics.latency("bench_monitor_seconds", path="x")
    gauge = metrics.gauge("bench_monitor_level", path="x")
    peer_counter = Counter("bench_peer", "peer", ["path"], registry=registry).labels("x")
    peer_histogram = Histogram("bench_peer_seconds", "peer", ["path"], registry=registry).labels("x")
    measured = measure_execution_time(service="bench", operation="nothing")(lambda: None)
    contenders = {
        "loop": loop("pass"),
        "empty C method": loop("f()", f=[].clear),
        "Counter.add": loop("f()", f=counter.add),
        "Gauge.set": loop("f(1.5)", f=gauge.set),
        "Sketch.observe": loop("f(1.5e-6)", f=sketch.observe),
        "@measure_execution_time": loop("f()", f=measured),
        "prometheus_client inc": loop("f()", f=peer_counter.inc),
        "prometheus_client observe": loop("f(1.5e-6)", f=peer_histogram.observe),
    }
    raw = harness.interleave(contenders, rounds=rounds, per_call=CALLS, clock=time.thread_time)
    empty = raw.pop("loop").median
    timings = {
        name: replace(t, median=t.median - empty, low=t.low - empty, high=t.high - empty) for name, t in raw.items()
    }
    call = timings["empty C method"].median
    report.add(
        "a metric",
        timings,
        {
            "Counter.add: ns beyond an empty C method": harness.Ratio(
                (timings["Counter.add"].median - call) * 1e9, GOAL_METRIC, at_least=False
            ),
            "Counter.add: ns in all": harness.Ratio(timings["Counter.add"].median * 1e9, GOAL_METRIC, at_least=False),
            "Counter.add: times as fast as prometheus_client": harness.Ratio(
                timings["prometheus_client inc"].median / timings["Counter.add"].median, 1.0
            ),
            "Sketch.observe: times as fast as prometheus_client": harness.Ratio(
                timings["prometheus_client observe"].median / timings["Sketch.observe"].median, 1.0
            ),
        },
    )


def page(report: harness.Report, rounds: int) -> None:
    for number in range(200):
        labels = {"method": "GET", "route": f"/bench/{number}", "arm": ""}
        metrics.counter("fastcore_http_requests_total", status="200", **labels).add()
        sketch = metrics.latency("fastcore_http_request_duration_seconds", **labels)
        for step in range(50):
            sketch.observe(0.001 * 1.1**step)
    contenders = {
        "snapshot": metrics.snapshot,
        "page": exposition,
        "OpenMetrics": lambda: exposition(accept="application/openmetrics-text"),
    }
    report.add(
        "200 routes on the page", harness.interleave(contenders, rounds=max(5, rounds // 4), clock=time.thread_time)
    )


def history(report: harness.Report, rounds: int) -> None:
    """What the dashboard's recorder takes a second, with the 200 routes of before and 10,000 series of other names."""
    moments = itertools.count(0.0, 10.0)  # the samples stand in place of those of a second: nothing is put off
    recorder = Recorder(Sources(Prices(), tasks=TaskQueue()), timer=lambda: next(moments))
    for number in range(10_000):
        metrics.counter(f"bench_{number // 1000}_total", number=str(number)).add()
    timings = harness.interleave(
        {"a sample, 200 routes": recorder.sample}, rounds=max(5, rounds // 4), clock=time.thread_time
    )
    share = timings["a sample, 200 routes"].median
    report.add("dashboard history", timings, {"share of a core": harness.Ratio(share, 0.01, at_least=False)})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=41)
    options = parser.parse_args()
    logging.disable(logging.INFO)
    report = harness.Report(
        "monitor",
        "Monitoring: what watching costs",
        harness.versions("fastapi", "starlette", "prometheus-client", "prometheus-fastapi-instrumentator"),
        notes=[
            "Times are of the CPU: nothing waits, and what other processes take is left out.",
            "Requests go straight into the application, without a server: its own time is in both and subtracted.",
            "What a metric costs is without the loop around it; an empty method of a C type is what a call costs at "
            "least.",
        ],
    )
    middleware(report, options.rounds)
    instruments(report, options.rounds)
    page(report, options.rounds)
    history(report, options.rounds)
    report.write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
