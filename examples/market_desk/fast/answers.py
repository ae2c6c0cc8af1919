"""Answers as bytes: an analysis that needs no computation is sent before any routing; a middleware."""

from __future__ import annotations

from typing import Any, NamedTuple

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from examples.market_desk.data.feed import PERIOD
from examples.market_desk.data.market import HISTORY
from examples.market_desk.fast.analysis import OptimizedTechnicalAnalysisService
from fastcore import Switch
from fastcore.cache import TTLCache

__all__ = ["QuickAnswers", "QuickAnswersMiddleware"]

KEPT = 2000  # answers, most of about 700 bytes
LARGEST = 4096  # bytes of an answer that is kept, with its query
ROUTE = "/technical-analysis/"
DEFAULT, LEAST = 250, 50  # bars
QUERY = b"bars="


class Route(NamedTuple):
    """What monitoring counts such an answer under."""

    path: str = f"{ROUTE}{{symbol}}"


class Kept(NamedTuple):
    """An answer."""

    start: dict[str, Any]
    body: dict[str, Any]
    route: Any


class QuickAnswers:
    """Keeps answers of the newest bar by their requests; its flag: ``memory_optimization``.

    Attributes
    ----------
    answers : TTLCache
        By path, query and bar.
    find : Switch
        The answer to a request, where it is kept or needs no computation; else None.
    """

    def __init__(self, analysis: OptimizedTechnicalAnalysisService) -> None:
        self.answers: TTLCache[tuple[str, bytes, int], Kept] = TTLCache(KEPT, 2 * PERIOD)
        self._analysis, self._market = analysis, analysis.market
        self.find = Switch(
            "answers.find", control=lambda scope: None, candidate=self.find_kept, flag="memory_optimization"
        )

    def keep(self, request: Request, bar: int, answer: Response) -> Response:
        """Keep an answer that depends on path and query only, and return it."""
        self._keep(request.scope, bar, answer, request.scope.get("route"))
        return answer

    def find_kept(self, scope: dict[str, Any]) -> Kept | None:
        """Return the answer to a GET without preferences, if it needs no computation."""
        if scope["type"] != "http" or scope["method"] != "GET":
            return None
        if any(name == b"prefer" for name, _ in scope["headers"]):
            return None
        path = scope["path"]
        is_analysis = path.startswith(ROUTE)
        bar = self._analysis.bar_served() if is_analysis else self._market.bar
        found = self.answers.get((path, scope["query_string"], bar))
        return self._look_up(scope, bar) if found is None and is_analysis else found

    def _look_up(self, scope: dict[str, Any], bar: int) -> Kept | None:
        """Return an analysis that was computed ahead; requests in another form are left to the routes."""
        symbol, query = scope["path"].removeprefix(ROUTE), scope["query_string"]
        number = query.removeprefix(QUERY)
        if query and not (query.startswith(QUERY) and len(number) == 3 and number.isdigit()):
            return None
        bars = int(number) if query else DEFAULT
        if symbol not in self._market.origin or not LEAST <= bars <= HISTORY:
            return None
        if not self._analysis.is_quick(symbol, bars, bar):
            return None
        current = bar == self._market.bar
        found = self._analysis.analyse(symbol, bars) if current else self._analysis.at_bar(symbol, bars, bar)
        return self._keep(scope, found["bar"], JSONResponse(found), Route())

    def _keep(self, scope: Any, bar: int, answer: Response, route: Any) -> Kept:
        start = {"type": "http.response.start", "status": answer.status_code, "headers": answer.raw_headers}
        kept = Kept(start, {"type": "http.response.body", "body": answer.body}, route)
        if len(answer.body) + len(scope["query_string"]) <= LARGEST:
            self.answers[scope["path"], scope["query_string"], bar] = kept
        return kept


class QuickAnswersMiddleware:
    """Sends what `QuickAnswers` has, and hands the rest on."""

    def __init__(self, app: Any, answers: QuickAnswers) -> None:
        self._app, self._answers = app, answers

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        found = self._answers.find(scope)
        if found is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = found.route
        await send(found.start)
        await send(found.body)
