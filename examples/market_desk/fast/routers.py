"""The routes: the plain ones, with those that are slow or busy answered here first."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse

from examples.market_desk.fast.services import OptimizedServices
from examples.market_desk.plain.routers import Bars, include, job_routes, price_routes, split
from fastcore.cache import get_cached_analysis
from fastcore.tasks import QueueClosed, QueueFull, StoreError, submit_background_task

__all__ = ["add_routes", "asks_for_task"]

QUOTED = re.compile(r'"[^"]*"')
RESPOND_ASYNC = re.compile(r"""(?:^|,)\s*respond-async\s*(?:=\s*(?:"")?\s*)?(?:[;,]|$)""", re.IGNORECASE)
RESULT = "/api/tasks/task/{id}/result"  # of the routes that `install` adds


def asks_for_task(request: Request) -> bool:
    """Return whether the client would rather get 202 than wait (RFC 7240)."""
    told = QUOTED.sub('""', ",".join(request.headers.getlist("prefer")))
    return RESPOND_ASYNC.search(told) is not None


def add_routes(app: FastAPI, services: OptimizedServices) -> None:
    """Add every route to an application; plain routes are used for paths that have no other."""
    include(app, analysis_routes(services), task_routes(services), price_routes(services), job_routes(services))
    for refused in (QueueFull, QueueClosed, StoreError):
        app.add_exception_handler(refused, not_taken)


async def not_taken(request: Request, error: Exception) -> JSONResponse:
    """Answer 503 while too many tasks wait, the disk is full, or the server ends."""
    return JSONResponse({"detail": str(error)}, 503, headers={"Retry-After": "1"})


def analysis_routes(services: OptimizedServices) -> APIRouter:
    """Return the routes of analyses, signals and prices."""
    router = APIRouter()

    async def analyse(symbol: str, bars: int) -> dict[str, Any]:
        """Look up what is cached on the loop, and compute the rest on a thread."""
        services.market.check(symbol)
        service = services.analysis
        if service.is_quick(symbol, bars):
            return service.analyse(symbol, bars)
        return await asyncio.to_thread(service.analyse, symbol, bars)

    @router.get("/technical-analysis/{symbol}")
    async def technical_analysis(symbol: str, request: Request, bars: Bars = 250) -> Response:
        if not asks_for_task(request):
            found = await analyse(symbol, bars)
            return services.answers.keep(request, found["bar"], JSONResponse(found))
        services.market.check(symbol)
        cached = await get_cached_analysis(symbol)
        if cached is not None and (cached["bars"], cached["bar"]) == (bars, services.market.bar):
            return JSONResponse(cached)
        id = await submit_background_task("analyse_symbol", symbol, bars)
        return await accepted(services, "analyse_symbol", id)

    @router.get("/technical-analysis")
    async def technical_analyses(symbols: str, bars: Bars = 250) -> JSONResponse:
        wanted = split(symbols)
        for symbol in wanted:
            services.market.check(symbol)
        return JSONResponse(await services.many.analyse_many(wanted, bars))

    @router.get("/signals/{symbol}")
    async def signal(symbol: str, request: Request, bars: Bars = 250) -> Response:
        found = await analyse(symbol, bars)
        told = {name: found[name] for name in ("symbol", "origin", "bar", "at", "signal")}
        return services.answers.keep(request, found["bar"], JSONResponse(told))

    @router.get("/prices")
    async def prices(symbols: str, request: Request) -> Response:
        found = services.snapshots.latest(split(symbols))
        return services.answers.keep(request, found[0]["bar"], JSONResponse(found))

    return router


def task_routes(services: OptimizedServices) -> APIRouter:
    """Return the routes that run a task: they wait for its result, or give 202 to those who ask for it."""
    router = APIRouter()

    async def answer(request: Request, name: str, *arguments: Any, priority: float = 5) -> JSONResponse:
        if asks_for_task(request):
            id = await services.jobs.submit(name, *arguments, priority=priority)
            return await accepted(services, name, id)
        return JSONResponse(await services.jobs.run_job(name, *arguments, priority=priority))

    @router.post("/generate-report")
    async def generate_report(symbols: list[str], request: Request) -> JSONResponse:
        wanted = split(",".join(symbols))
        for symbol in wanted:
            services.market.check(symbol)
        return await answer(request, "generate_report", wanted)

    @router.post("/batch-analysis")
    async def batch_analysis(priorities: dict[str, float], request: Request) -> JSONResponse:
        for symbol in priorities:
            services.market.check(symbol)
        return await answer(request, "batch_analysis", priorities, priority=3)

    @router.post("/jobs/{name}")
    async def run_job(name: str, request: Request) -> JSONResponse:
        if name not in services.jobs.jobs:
            raise HTTPException(404, f"job: expected one of {', '.join(services.jobs.jobs)}, got {name!r}")
        return await answer(request, name)

    return router


async def accepted(services: OptimizedServices, name: str, id: str) -> JSONResponse:
    """Answer 202 with where the result will be."""
    told = {
        "task_id": id,
        "status": "processing",
        "estimated_time": await services.jobs.estimate(name),
        "result_url": RESULT.format(id=id),
    }
    return JSONResponse(told, 202, headers={"Location": told["result_url"], "Preference-Applied": "respond-async"})
