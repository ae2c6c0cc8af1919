"""The page that Prometheus scrapes, as an ASGI application."""

from __future__ import annotations

import functools
from collections.abc import Callable

from fastcore import metrics
from fastcore._snapshot import Snapshot
from fastcore._threads import on_own_thread
from fastcore.dispatch.bearer import BearerToken
from fastcore.dispatch.middleware import Receive, Scope, Send
from fastcore.monitor.health import answer
from fastcore.monitor.page import exposition
from fastcore.monitor.prometheus import client
from fastcore.monitor.workers import WorkerFiles

__all__ = ["MetricsApp"]


class MetricsApp:
    """``app.mount("/metrics", MetricsApp())``.

    Parameters
    ----------
    workers : WorkerFiles, optional
        Of several worker processes: the page then is that of all of them, whichever answers.
    token : str, optional
        Asked for as ``Authorization: Bearer TOKEN``, at least 16 characters; without one the page is public.

    Raises
    ------
    ImportError
        If ``prometheus-client`` is not installed.

    Examples
    --------
    >>> from starlette.applications import Starlette
    >>> from fastcore.monitor import MetricsApp
    >>> app = Starlette()
    >>> app.mount("/metrics", MetricsApp(token="sixteen characters or more"))
    """

    def __init__(self, workers: WorkerFiles | None = None, *, token: str | None = None) -> None:
        client()
        self._source: Callable[[], Snapshot] = metrics.snapshot if workers is None else workers.gather
        self._alone = workers is None
        self._token = None if token is None else BearerToken(token)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"MetricsApp: expected an http scope, got {scope['type']}")
        if scope["method"] not in ("GET", "HEAD"):
            await answer(scope, send, 405, b"", "text/plain", (("allow", "GET, HEAD"),))
            return
        if self._token is not None and not self._token.admits(scope):
            challenge = (("www-authenticate", "Bearer"),)
            await answer(scope, send, 401, b"unauthorized\n", "text/plain; charset=utf-8", challenge)
            return
        accept = dict(scope.get("headers", ())).get(b"accept", b"").decode("latin-1")
        # Files of other workers are read, and a page may take milliseconds: not on the loop.
        make = functools.partial(exposition, self._source, accept=accept, process=self._alone)
        body, content_type = await on_own_thread(make)
        await answer(scope, send, 200, body, content_type)
