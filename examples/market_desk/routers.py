"""The HTTP and WebSocket endpoints; their answers do not depend on any flag, except the report's 200 or 202."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, HTTPException, Query, WebSocket, WebSocketException, status
from fastapi.responses import JSONResponse, PlainTextResponse

from examples.market_desk.desk import MarketDesk
from examples.market_desk.prices import Market
from fastcore.tasks import QueueFull

__all__ = ["install"]


def install(app: FastAPI, desk: MarketDesk) -> None:
    """Add the endpoints of `desk` to `app`."""
    app.include_router(analysis_routes(desk))
    app.include_router(report_routes(desk))
    app.include_router(stream_routes(desk))


def analysis_routes(desk: MarketDesk) -> APIRouter:
    """Return the endpoints of the analysis and of the desk's own state."""
    router = APIRouter()

    @router.get("/")
    async def index() -> dict[str, Any]:
        return {
            "symbols": desk.market.symbols,
            "analysis": [f"/technical-analysis/{symbol}" for symbol in desk.market.symbols],
            "several": "/technical-analysis?symbols=AAPL,IBM",
            "dashboard": "/fastcore",
            "report": "POST /generate-report with a JSON list of symbols",
            "stream": [f"/stream?topics={topic}" for topic in desk.topics],
            "status": "/status",
            "before and after": "/switches",
            "api": "/docs",
        }

    @router.get("/technical-analysis/{symbol}")
    async def technical_analysis(symbol: str, bars: Annotated[int, Query(ge=50, le=5000)] = 250) -> dict[str, Any]:
        check_symbols(desk.market, [symbol])
        found: dict[str, Any] = await desk.analysis.analyse(symbol, bars)
        return found

    @router.get("/technical-analysis")
    async def technical_analyses(
        symbols: str, bars: Annotated[int, Query(ge=50, le=5000)] = 250
    ) -> list[dict[str, Any]]:
        wanted = [symbol for symbol in symbols.split(",") if symbol]
        check_symbols(desk.market, wanted)
        found: list[dict[str, Any]] = await desk.analysis.analyse_many(wanted, bars)
        return found

    @router.get("/status")
    async def desk_status(after_tick: int = 0) -> dict[str, Any]:
        return desk.status(after_tick)

    @router.get("/switches", response_class=PlainTextResponse)
    async def switches() -> str:
        return desk.comparison()

    return router


def report_routes(desk: MarketDesk) -> APIRouter:
    """Return the endpoints that order a report and fetch it."""
    router = APIRouter()

    @router.post("/generate-report", responses={202: {"description": "in the making; see result_url"}})
    async def generate_report(symbols: list[str], priority: Annotated[int, Query(ge=0, le=9)] = 5) -> JSONResponse:
        check_symbols(desk.market, symbols)
        try:
            answer = await desk.reports.generate(symbols, priority)
        except QueueFull as error:
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from None
        if not isinstance(answer, str):
            return JSONResponse(answer)
        told = {
            "task_id": answer,
            "status": "processing",
            "estimated_time": await desk.reports.estimate(),
            "result_url": f"/api/tasks/task/{answer}/result",  # of the routes that `install` adds
        }
        return JSONResponse(told, HTTPStatus.ACCEPTED)

    return router


def stream_routes(desk: MarketDesk) -> APIRouter:
    """Return the WebSocket endpoint."""
    router = APIRouter()

    @router.websocket("/stream")
    async def stream(socket: WebSocket, topics: str = "prices.*") -> None:
        try:
            await desk.stream(socket, topics)
        except ValueError as error:
            raise WebSocketException(status.WS_1008_POLICY_VIOLATION, str(error)) from None

    return router


def check_symbols(market: Market, symbols: list[str]) -> None:
    """Answer 404 where a symbol is not traded here, and 422 where there is none."""
    if not symbols:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, "symbols: expected at least one, got none")
    for symbol in symbols:
        if symbol not in market.symbols:
            known = ", ".join(market.symbols)
            raise HTTPException(HTTPStatus.NOT_FOUND, f"symbol: expected one of {known}, got {symbol!r}")
