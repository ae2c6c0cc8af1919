"""The application with fastcore installed on it, and what runs in its background."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

import fastcore
from examples.market_desk.data.feed import PERIOD, PriceFeed
from examples.market_desk.data.market import Market
from examples.market_desk.fast.answers import QuickAnswersMiddleware
from examples.market_desk.fast.optimizations import FLAGS, is_on
from examples.market_desk.fast.routers import add_routes
from examples.market_desk.fast.services import OptimizedServices
from examples.market_desk.fast.stream import Streaming
from examples.market_desk.plain.services import WATCHED
from examples.market_desk.probe import add_status
from fastcore import flags
from fastcore.memory import freeze_after_startup, gc_profile
from fastcore.monitor import DEFAULT_RULES, AlertManager, AutoOptimizationManager, Rule
from fastcore.service import install
from fastcore.service.dashboard import Prices

__all__ = ["build_app"]

MAX_BODY = 1 << 20  # bytes of a request
SLOW = Rule(
    name="slow route",
    metric="fastcore_http_request_duration_seconds",
    quantile=0.95,
    above=5,
    clear=4,
    hold="1m",
    summary="{route} takes {value:.1f} s",
    unless="rolled back",
)


def build_app(services: OptimizedServices | None = None, *, running: bool = True, token: str | None = None) -> FastAPI:
    """Return the application; without `running`, the market stands still and no job runs by itself.

    `token` opens the dashboard's switches.
    """
    services = OptimizedServices(Market()) if services is None else services
    streaming = Streaming(services)

    async def follow(moved: asyncio.Event) -> None:
        while True:
            await moved.wait()
            moved.clear()
            await streaming.on_bar()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if is_on("memory_optimization"):
            gc_profile("service")
            freeze_after_startup()
        loop, moved = asyncio.get_running_loop(), asyncio.Event()
        following = asyncio.create_task(follow(moved))
        feed = PriceFeed(services.market, lambda: loop.call_soon_threadsafe(moved.set), clock=services.clock)
        feed.start()
        services.jobs.schedule()
        try:
            yield
        finally:
            await asyncio.to_thread(feed.stop)
            following.cancel()
            await asyncio.wait([following])

    app = FastAPI(title="Market desk, fast", lifespan=lifespan if running else None)
    add_routes(app, services)
    add_status(app, "fast", services.market, lambda: extra(services))
    add_switches(app, services, streaming)
    app.add_middleware(QuickAnswersMiddleware, answers=services.answers)
    install(
        app,
        tasks=services.queue,
        hub=services.hub,
        prices=Prices("analysis.*", bar=PERIOD, length=200, symbols=WATCHED),  # those have a price as well
        token=token,
        public=("tasks", "stream", "dashboard"),  # a demonstration on loopback; its flags ask for the token
        arm="memory_optimization",
        max_body=MAX_BODY,
        alerts=AlertManager([*DEFAULT_RULES, SLOW]),
        triggers=AutoOptimizationManager(mode="act" if running else "advise"),
    )
    return app


def add_switches(app: FastAPI, services: OptimizedServices, streaming: Streaming) -> None:
    """Add the route that shows both arms of every Switch, measured."""
    jobs, analysis = services.jobs, services.analysis
    switches: tuple[Any, ...] = (
        *(analysis.calculate_indicators, analysis.analyse, analysis.warm, services.many.analyse_many),
        *(services.monitor.recompute, services.snapshots.table, services.news.crawl, services.news.articles),
        *(services.answers.find, jobs.collect, jobs.run_job, streaming.publish_prices, streaming.publish_analyses),
    )

    @app.get("/switches", response_class=PlainTextResponse)
    async def compared() -> str:
        return "\n\n".join(str(switch.report()) for switch in switches)


def extra(services: OptimizedServices) -> dict[str, Any]:
    """Return what this arm tells of itself besides."""
    stats, hits = services.hub.stats(), services.analysis.hits()
    hits["hits"] += services.answers.answers.stats().hits
    return {
        "clients": stats.clients,
        "delivered": stats.delivered,
        "bytes_out": stats.bytes_out,
        "cache": hits,
        "flags": {name: flags.get(name).mode for name in FLAGS},
        "hot_paths": fastcore.status().to_dict()["paths"],
    }
