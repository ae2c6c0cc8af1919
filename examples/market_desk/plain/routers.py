"""The routes: each answers when its work is done."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, HTTPException, Query, Request
from fastapi.exception_handlers import request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from examples.market_desk.data.market import HISTORY, UnknownSymbol
from examples.market_desk.plain.services import Services

__all__ = ["Bars", "add_routes", "include", "split"]

MOST = 500  # symbols of a request
Bars = Annotated[int, Query(ge=50, le=HISTORY)]


def add_routes(app: FastAPI, services: Services) -> None:
    """Add every route to an application."""
    include(app, analysis_routes(services), price_routes(services), job_routes(services))


def include(app: FastAPI, *routers: APIRouter) -> None:
    """Add the routes of `routers`, the first of those with one path and method, and handlers of invalid requests."""
    added: set[tuple[str, ...]] = set()
    for router in routers:
        routes = {(route.path, *(route.methods or ())): route for route in router.routes if isinstance(route, APIRoute)}
        router.routes[:] = [route for name, route in routes.items() if name not in added]
        added |= routes.keys()
        app.include_router(router)
    app.add_exception_handler(UnknownSymbol, unknown_symbol)
    app.add_exception_handler(RequestValidationError, invalid_request)


async def unknown_symbol(request: Request, error: Exception) -> JSONResponse:
    """Answer 404 for a symbol that the market does not have."""
    return JSONResponse({"detail": str(error)}, 404)


async def invalid_request(request: Request, error: Exception) -> JSONResponse:
    """Answer 422 with the errors; without the input if JSON cannot hold it: NaN, or half of a surrogate pair."""
    assert isinstance(error, RequestValidationError)
    try:
        return await request_validation_exception_handler(request, error)
    except ValueError:
        wrong = [{"type": one["type"], "loc": one["loc"], "msg": one["msg"]} for one in error.errors()]
        return JSONResponse({"detail": wrong}, 422)


def split(symbols: str) -> list[str]:
    """Return the symbols of ``AAPL,IBM``; 422 if there are none or too many."""
    found = [symbol for symbol in symbols.split(",") if symbol]
    if not found:
        raise HTTPException(422, "symbols: expected at least one, got none")
    if len(found) > MOST:
        raise HTTPException(422, f"symbols: expected at most {MOST}, got {len(found)}")
    return found


def analysis_routes(services: Services) -> APIRouter:
    """Return the routes of analyses and signals."""
    router = APIRouter()

    @router.get("/technical-analysis/{symbol}")
    def technical_analysis(symbol: str, bars: Bars = 250) -> dict[str, Any]:
        return services.analysis.analyse(symbol, bars)

    @router.get("/technical-analysis")
    def technical_analyses(symbols: str, bars: Bars = 250) -> list[dict[str, Any]]:
        return services.analysis.analyse_many(split(symbols), bars)

    @router.get("/signals/{symbol}")
    def signal(symbol: str, bars: Bars = 250) -> dict[str, Any]:
        found = services.analysis.analyse(symbol, bars)
        return {name: found[name] for name in ("symbol", "origin", "bar", "at", "signal")}

    return router


def price_routes(services: Services) -> APIRouter:
    """Return the routes that clients poll: prices, snapshots, alerts and news."""
    router = APIRouter()

    @router.get("/prices")
    def prices(symbols: str) -> list[dict[str, Any]]:
        return services.snapshots.latest(split(symbols))

    @router.get("/snapshots/{symbol}")
    def snapshots(symbol: str) -> list[dict[str, Any]]:
        return services.snapshots.history(symbol)

    @router.get("/alerts")
    def alerts() -> list[dict[str, Any]]:
        return list(services.monitor.alerts)

    @router.get("/news")
    def news(symbol: str | None = None, limit: Annotated[int, Query(ge=1, le=500)] = 50) -> list[dict[str, Any]]:
        found = services.yahoo.news(symbol, limit) + services.investing.news(symbol, limit)
        return sorted(found, key=lambda item: item["published"], reverse=True)[:limit]

    return router


def job_routes(services: Services) -> APIRouter:
    """Return the routes of reports and jobs."""
    router = APIRouter()

    @router.post("/generate-report")
    def generate_report(symbols: list[str]) -> dict[str, Any]:
        return services.reports.generate(split(",".join(symbols)))

    @router.post("/batch-analysis")
    def batch_analysis(priorities: dict[str, float]) -> list[dict[str, Any]]:
        return services.scheduler.batch_analysis(priorities)

    @router.get("/jobs")
    def jobs() -> dict[str, Any]:
        return services.scheduler.progress

    @router.post("/jobs/{name}")
    def run_job(name: str) -> Any:
        if name not in services.scheduler.jobs:
            raise HTTPException(404, f"job: expected one of {', '.join(services.scheduler.jobs)}, got {name!r}")
        return services.scheduler.run(name)

    return router
