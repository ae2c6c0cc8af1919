"""The dashboard as an ASGI application: pages, their figures as JSON and over a stream, and actions."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, quote

from fastcore._asgi import local_path
from fastcore._ext import BackendUnavailable
from fastcore._threads import on_own_thread
from fastcore.dispatch.bearer import BearerToken
from fastcore.service.dashboard import actions, alerts, streaming, task_actions, tasks
from fastcore.service.dashboard.feed import Feed
from fastcore.service.dashboard.history import Mark
from fastcore.service.dashboard.recorder import Recorder
from fastcore.service.dashboard.sections import SECTIONS, read
from fastcore.service.dashboard.sources import Sources
from fastcore.service.dashboard.static_files import Receive, Scope, Send, StaticFiles, respond
from fastcore.service.dashboard.switches import journal
from fastcore.streaming.security import Authenticate

__all__ = ["Dashboard"]

_log = logging.getLogger("fastcore.dashboard")
_BODY = 1 << 16  # bytes of a request that are read


class Problem(Exception):
    """An error response."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class Dashboard:
    """Shows what runs, what it gains and problems; with the token, changes flags.

    Mount it at a separate path: ``app.mount("/fastcore", Dashboard(Sources(...)))``; :func:`fastcore.service.install`
    does. It does not restrict reading; changes need the token.

    Parameters
    ----------
    sources : Sources
    token : str, optional
        What changes ask for, as ``Authorization: Bearer ...``, at least 16 characters. Without one nothing can be
        changed.
    interval : float, default 1
        Seconds between two readings, which are taken while a page is open.
    authenticate : callable, optional
        Checks the tokens of the stream's clients, as that of a :class:`~fastcore.streaming.Hub`.
    authorised : bool, default False
        Whether middleware around the dashboard has authorised each request: then changes need no token.

    Examples
    --------
    >>> from starlette.applications import Starlette
    >>> from fastcore.service.dashboard import Dashboard, Prices, Sources
    >>> app = Starlette()
    >>> app.mount("/fastcore", Dashboard(Sources(Prices()), token="sixteen characters or more"))
    """

    def __init__(
        self,
        sources: Sources,
        *,
        token: str | None = None,
        interval: float = 1.0,
        authenticate: Authenticate | None = None,
        authorised: bool = False,
    ) -> None:
        self._sources = sources
        self._token = None if token is None else BearerToken(token)
        self._authorised = authorised
        self._files = StaticFiles()
        self.feed = Feed(sources, interval, authenticate)
        self.recorder = Recorder(sources)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = local_path(scope)
        if scope["type"] == "websocket":
            await self.feed.serve(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        if path == "":  # relative links need the slash, and what a proxy has in front of the path is not known here
            location = f"./{quote(scope['path'].rpartition('/')[2])}/".encode()
            await respond(send, 307, b"", b"text/plain", [(b"location", location)])
            return
        name = path.lstrip("/")
        if not name.startswith("api/"):
            if scope["method"] not in ("GET", "HEAD"):
                await self._problem(send, Problem(405, f"method: expected GET or HEAD, got {scope['method']}"))
            else:
                await self._files.serve(name, scope, send)
            return
        try:
            body = await self._api(name[4:], scope, receive)
        except Problem as problem:
            await self._problem(send, problem)
        except (ValueError, LookupError, TypeError) as error:
            await self._problem(send, Problem(422, str(error.args[0] if error.args else error)))
        except BackendUnavailable as error:
            await self._problem(send, Problem(409, str(error)))
        except Exception:
            _log.exception("the dashboard could not answer %s", path)
            await self._problem(send, Problem(500, "the service's log says what went wrong"))
        else:
            await self._json(send, 200, body, head=scope["method"] == "HEAD")

    async def _api(self, name: str, scope: Scope, receive: Receive) -> Any:
        if scope["method"] in ("GET", "HEAD"):
            if name == "snapshot":
                return {section: await read(section, self._sources) for section in SECTIONS}
            if name.startswith("snapshot/") and name[9:] in SECTIONS:
                return await read(name[9:], self._sources)
            if name.startswith("lines/"):
                return self._sources.prices.line(name[6:])
            if name.startswith("history/"):
                return await on_own_thread(self.recorder.answer, _seconds(name[8:]), _query(scope).get("of", ""))
            if name == "clients":
                return streaming.clients(self._sources, _query(scope), whole=self._may_change(scope))
            if name == "topics":
                return streaming.topics(self._sources, _query(scope))
            if name == "journal":
                return await on_own_thread(journal, _query(scope))
            if name == "tasks":
                return await on_own_thread(tasks.find, self._sources, _query(scope))
            if name.startswith("tasks/"):
                return await on_own_thread(self._task, name[6:], self._may_change(scope))
            raise Problem(404, f"path: expected snapshot, history or another, got {name!r}")
        if scope["method"] != "POST":
            raise Problem(405, f"method: expected GET, HEAD or POST, got {scope['method']}")
        self._admit(scope)
        body = await _body(receive)
        if name == "marks":
            self.recorder.history.mark(Mark(time.time(), "deploy", actions.text_of(body, "text", required=True)))
            return {"marked": True}
        for pattern, action in _ACTIONS:
            if found := pattern.fullmatch(name):
                return await action(self._sources, *found.groups(), body)
        raise Problem(404, f"path: expected an action, got {name!r}")

    def _task(self, id: str, may_read_all: bool) -> dict[str, Any]:
        """Return a task; its arguments may hold secrets, so they need what changes need."""
        try:
            return tasks.one(self._sources, id, whole=may_read_all)
        except LookupError as error:
            raise Problem(404, str(error.args[0])) from None

    def _may_change(self, scope: Scope) -> bool:
        return self._authorised or (self._token is not None and self._token.admits(scope))

    def _admit(self, scope: Scope) -> None:
        if self._may_change(scope):
            return
        if self._token is None:
            raise Problem(403, "token: this dashboard was installed without one, so nothing can be changed")
        raise Problem(401, "token: expected the dashboard's, got another or none")

    async def _problem(self, send: Send, problem: Problem) -> None:
        more = [(b"www-authenticate", b'Bearer realm="fastcore"')] if problem.status == 401 else []
        body = json.dumps({"status": problem.status, "detail": str(problem)}).encode()
        await respond(send, problem.status, body, b"application/problem+json", more)

    async def _json(self, send: Send, status: int, body: Any, *, head: bool) -> None:
        text = body if isinstance(body, bytes) else json.dumps(body, allow_nan=False).encode()
        await respond(send, status, text, b"application/json", [(b"cache-control", b"no-store")], head=head)


def _query(scope: Scope) -> dict[str, str]:
    try:
        return dict(parse_qsl(scope["query_string"].decode(), max_num_fields=20))
    except ValueError:
        raise Problem(422, "query: expected at most 20 fields in UTF-8") from None


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise Problem(422, f"range: expected seconds, got {text!r}") from None


async def _body(receive: Receive) -> dict[str, Any]:
    data = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem(400, "body: expected it whole, got a part before the client disconnected")
        data += message.get("body", b"")
        if len(data) > _BODY:
            raise Problem(413, f"body: expected at most {_BODY} bytes, got more")
        if not message.get("more_body"):
            break
    try:
        found = json.loads(data or b"{}")
    except (ValueError, RecursionError):
        raise Problem(400, "body: expected JSON, got something else") from None
    if not isinstance(found, dict):
        raise Problem(400, f"body: expected a JSON object, got {type(found).__name__}")
    return found


# Paths come decoded; the name of a flag may have a slash.
_ACTIONS: list[tuple[re.Pattern[str], Callable[..., Awaitable[Any]]]] = [
    (re.compile("whoami"), actions.whoami),
    (re.compile("flags/(.+)/set"), actions.set_flag),
    (re.compile("flags/(.+)/clear"), actions.clear_flag),
    (re.compile("flags/(.+)/rollback"), actions.roll_back),
    (re.compile("flags/(.+)/resume"), actions.resume),
    (re.compile("tasks/(retry|cancel)"), task_actions.several),
    (re.compile("tasks/([^/]+)/(retry|cancel)"), task_actions.one),
    (re.compile("task-names/(.+)/(pause|resume|purge|retry-dead)"), task_actions.of_name),
    (re.compile("alerts/silence"), alerts.silence),
    (re.compile("alerts/silences/([^/]+)/end"), alerts.unsilence),
    (re.compile("clients/([^/]+)/disconnect"), streaming.disconnect),
    (re.compile("caches/clear"), actions.clear_cache),
    (re.compile("memory/shrink"), actions.shrink_memory),
]
