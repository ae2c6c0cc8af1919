"""The application, and what runs in its background."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from examples.market_desk.data.feed import PriceFeed
from examples.market_desk.data.market import Market
from examples.market_desk.probe import add_status
from examples.market_desk.tuned.routers import add_routes
from examples.market_desk.tuned.services import TunedServices
from examples.market_desk.tuned.stream import Connections, stream_routes

__all__ = ["build_app"]


def build_app(services: TunedServices | None = None, *, running: bool = True) -> FastAPI:
    """Return the application; without `running`, the market stands still and no job runs by itself."""
    services = TunedServices(Market()) if services is None else services
    market, connections = services.market, Connections()

    async def on_bar() -> None:
        await connections.broadcast(market.quotes())
        await asyncio.to_thread(services.analysis.warm)
        await asyncio.to_thread(services.monitor.on_bar)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        moved = asyncio.Event()

        async def follow() -> None:
            while True:
                await moved.wait()
                moved.clear()
                await on_bar()

        following = asyncio.create_task(follow())
        feed = PriceFeed(market, lambda: loop.call_soon_threadsafe(moved.set))
        feed.start()
        services.scheduler.start()
        try:
            yield
        finally:
            await asyncio.to_thread(feed.stop)
            following.cancel()
            await asyncio.wait([following])
            await asyncio.to_thread(services.scheduler.stop)

    def extra() -> dict[str, Any]:
        analyses, windows = services.analysis.at_bar.cache_info(), services.analysis.universe.cache_info()
        return {
            "clients": len(connections),
            "delivered": connections.sent,
            "bytes_out": connections.bytes,
            "cache": {
                "hits": analyses.hits + max(0, analyses.misses - windows.misses),
                "misses": windows.misses,
            },
        }

    app = FastAPI(title="Market desk, tuned", lifespan=lifespan if running else None)
    add_routes(app, services)
    app.include_router(stream_routes(connections, market))
    add_status(app, "tuned", market, extra)
    return app
