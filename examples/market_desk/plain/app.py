"""The application, and what runs in its background: the price stream, the monitor and the scheduler."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from examples.market_desk.data.feed import PriceFeed
from examples.market_desk.data.market import Market
from examples.market_desk.plain.routers import add_routes
from examples.market_desk.plain.services import Services
from examples.market_desk.probe import add_status

__all__ = ["build_app"]


def build_app(services: Services | None = None, *, running: bool = True) -> FastAPI:
    """Return the application; without `running`, the market stands still and no job runs by itself."""
    services = Services(Market()) if services is None else services
    app = FastAPI(title="Market desk", lifespan=background(services) if running else None)
    add_routes(app, services)
    add_status(app, "plain", services.market)
    return app


def background(services: Services) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Return the lifespan in which prices move, the monitor follows them, and the scheduler runs."""
    moved = threading.Event()
    feed = PriceFeed(services.market, moved.set)
    stopping = False

    def monitor() -> None:
        while not stopping:
            moved.wait()
            moved.clear()
            services.monitor.on_bar()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        nonlocal stopping
        thread = threading.Thread(target=monitor, name="price monitor", daemon=True)
        feed.start()
        thread.start()
        services.scheduler.start()
        try:
            yield
        finally:
            stopping = True
            feed.stop()
            moved.set()
            services.scheduler.stop()
            thread.join()

    return lifespan
