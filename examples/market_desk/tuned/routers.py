"""The routes: quick ones on the loop, slow ones on threads, and 202 for those who ask for it."""

from __future__ import annotations

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, BackgroundTasks, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse

from examples.market_desk.plain.routers import Bars, include, job_routes, price_routes, split
from examples.market_desk.tuned.services import TunedServices

__all__ = ["add_routes"]

KEPT = 1000  # results that are kept


def add_routes(app: FastAPI, services: TunedServices) -> None:
    """Add every route to an application; plain routes are used for paths that have no other."""
    include(app, quick_routes(services), slow_routes(services), price_routes(services), job_routes(services))


def quick_routes(services: TunedServices) -> APIRouter:
    """Return the routes that are looked up, and so need no thread."""
    router = APIRouter()

    @router.get("/technical-analysis/{symbol}")
    async def technical_analysis(symbol: str, bars: Bars = 250) -> JSONResponse:
        return JSONResponse(await analyse(symbol, bars))

    @router.get("/technical-analysis")
    async def technical_analyses(symbols: str, bars: Bars = 250) -> JSONResponse:
        return JSONResponse([await analyse(symbol, bars) for symbol in split(symbols)])

    @router.get("/signals/{symbol}")
    async def signal(symbol: str, bars: Bars = 250) -> JSONResponse:
        found = await analyse(symbol, bars)
        return JSONResponse({name: found[name] for name in ("symbol", "origin", "bar", "at", "signal")})

    @router.get("/prices")
    async def prices(symbols: str) -> JSONResponse:
        return JSONResponse(services.snapshots.latest(split(symbols)))

    computing: dict[tuple[int, int], asyncio.Future[Any]] = {}

    async def analyse(symbol: str, bars: int) -> dict[str, Any]:
        services.market.check(symbol)
        key = (bars, services.market.bar)
        if key not in computing:  # the first of a bar computes on a thread, the others wait for it
            for old in [old for old in computing if old[1] < key[1] - 1]:
                del computing[old]
            computing[key] = asyncio.ensure_future(asyncio.to_thread(services.analysis.universe, *key))
        await asyncio.shield(computing[key])
        return services.analysis.at_bar(symbol, *key)

    return router


def slow_routes(services: TunedServices) -> APIRouter:
    """Return the routes of reports and batches."""
    router = APIRouter()
    results: OrderedDict[str, Any] = OrderedDict()

    def start(background: BackgroundTasks, function: Callable[..., Any], *arguments: Any) -> JSONResponse:
        number = uuid.uuid4().hex
        results[number] = None
        while len(results) > KEPT:
            results.popitem(last=False)

        def work() -> None:
            try:
                results[number] = (200, function(*arguments))
            except Exception as error:
                results[number] = (500, {"detail": str(error)})

        background.add_task(work)
        url = f"/api/tasks/task/{number}/result"
        told = {"task_id": number, "status": "processing", "estimated_time": "unknown", "result_url": url}
        return JSONResponse(told, 202, background=background)

    @router.post("/generate-report")
    async def generate_report(symbols: list[str], request: Request, background: BackgroundTasks) -> JSONResponse:
        wanted = split(",".join(symbols))
        for symbol in wanted:
            services.market.check(symbol)
        if "respond-async" in request.headers.get("prefer", ""):
            return start(background, services.reports.generate, wanted)
        return JSONResponse(await asyncio.to_thread(services.reports.generate, wanted))

    @router.post("/batch-analysis")
    async def batch_analysis(
        priorities: dict[str, float], request: Request, background: BackgroundTasks
    ) -> JSONResponse:
        if "respond-async" in request.headers.get("prefer", ""):
            return start(background, services.scheduler.batch_analysis, priorities)
        return JSONResponse(await asyncio.to_thread(services.scheduler.batch_analysis, priorities))

    @router.get("/api/tasks/task/{number}/result")
    async def result(number: str) -> JSONResponse:
        if number not in results:
            raise HTTPException(404, f"task: expected one that is known, got {number!r}")
        found = results[number]
        if found is None:
            return JSONResponse({"task_id": number, "status": "processing"}, 202)
        status, value = found
        return JSONResponse({"task_id": number, "status": "success", "result": value}, status)

    return router
