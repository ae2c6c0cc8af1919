"""The routes of a queue."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.params import Depends
from fastapi.routing import APIRoute
from pydantic_core import to_json as plain_json
from starlette.responses import StreamingResponse

from fastcore.tasks.errors import IdempotencyConflict, QueueClosed, QueueFull, StoreError, UnknownTask
from fastcore.tasks.http import events, models, views
from fastcore.tasks.http.idempotency import Keys, key_of, other_request
from fastcore.tasks.http.jsonable import NotJSON, to_json
from fastcore.tasks.http.openapi import EVENT, REQUEST, answer, problem
from fastcore.tasks.http.problems import Problem
from fastcore.tasks.http.service import TaskService
from fastcore.tasks.http.submission import read, wrong
from fastcore.tasks.records import State

if TYPE_CHECKING:
    from fastcore.tasks.queue import TaskQueue

__all__ = ["make_router"]

Answers = dict[int | str, dict[str, Any]]

_PATTERN = "^[0-9a-f]{32}$"
_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
_RETRY_RESULT = 1.0
_RETRY_FULL = 2.0
_TASK: Answers = {404: problem("There is no such task.")}
_BUSY: Answers = {503: problem("The queue takes nothing now.", retry_after=True)}
_INVALID: Answers = {422: problem("The request is not valid.")}


class TaskRoute(APIRoute):
    """A route whose errors are problems, whatever handlers the application has."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except Problem as error:
                return error.response()
            except RequestValidationError as error:
                found = [(tuple(e["loc"]), str(e["msg"])) for e in error.errors()]
                return wrong([(loc[1:], message) for loc, message in found], str(found[0][0][0])).response()
            except UnknownTask:
                return Problem(404, "no-such-task", "There is no such task", "It never was, or is forgotten").response()
            except QueueFull as error:
                return Problem(503, "full", "The queue is full", str(error), retry_after=_RETRY_FULL).response()
            except QueueClosed:
                detail = "The server is about to end; another one will answer"
                return Problem(503, "closed", "The queue is closed", detail, retry_after=_RETRY_FULL).response()
            except StoreError:
                detail = "Nothing of the request has happened"
                return Problem(503, "store", "The store failed", detail, retry_after=_RETRY_FULL).response()

        return handle


class Routes:
    """The handlers, over one queue."""

    def __init__(
        self, service: TaskService, client: Callable[[Request], str] | None, max_body: int, max_wait: float, ping: float
    ) -> None:
        self._service = service
        self._client = client
        self._max_body = max_body
        self._max_wait = max_wait
        self._ping = ping
        self._keys = Keys()

    async def submit(
        self,
        request: Request,
        idempotency_key: Annotated[
            str | None,
            Header(
                alias="Idempotency-Key",
                description="Of one request and its repetitions: they make one task.",
                json_schema_extra={"minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"},
            ),
        ] = None,
    ) -> Response:
        """Queue a task; answered once it is as durable as the queue promises."""
        key = key_of(idempotency_key, self._client(request) if self._client is not None else "")
        call = await read(request, self._max_body)
        wanted = call.wanted
        task = self._service.task(wanted.task)
        if task is None:
            raise Problem(
                404, "no-such-name", "There is no task of this name", "task: expected the name of a registered task"
            )
        args, kwargs = await call.bound(self._service.signature(task))
        mark = None if key is None else await call.fingerprint()
        with self._keys.submitting(key, mark):
            try:
                id = await self._service.submit(task, args, kwargs, wanted.priority, wanted.delay, key, mark)
            except IdempotencyConflict as error:
                raise other_request(task_id=error.id) from None
            except (TypeError, ValueError, OverflowError) as error:  # no codec for a value, no such option here
                raise wrong([((), str(error))]) from None
        at = views.links(request)
        seconds = await self._service.forecast(task, wanted.priority, wanted.delay or 0.0)
        body = self._keys.remember(key, id, plain_json(views.accepted(id, at, seconds)))
        return _json(body, 202, {"Location": at.status(id), "Retry-After": _retry(seconds)})

    async def list(
        self,
        request: Request,
        status: Annotated[list[models.StateName] | None, Query(description="Only tasks in these states.")] = None,
        task: Annotated[str | None, Query(max_length=200, description="Only tasks of this name.")] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        before: Annotated[str | None, Query(pattern=_PATTERN, description="The page after this task.")] = None,
    ) -> Response:
        """Return tasks, newest first, and how many there are in each state."""
        at = views.links(request)
        states = None if status is None else [State(name) for name in status]
        found, counts = await self._service.page(states, task, limit, before)
        body = {
            "tasks": [views.shown(view, at) for view in found],
            "counts": counts,
            "paused": await self._service.paused(),
            "next": found[-1].id if len(found) == limit else None,
        }
        return _json(plain_json(body))

    async def get(self, task_id: str, request: Request) -> Response:
        """Return the state of a task."""
        view = await self._service.get(task_id)
        return _json(plain_json(views.shown(view, views.links(request, task=True))))

    async def result(
        self,
        task_id: str,
        request: Request,
        wait: Annotated[
            float, Query(ge=0, allow_inf_nan=False, description="Seconds to wait for it; the server has a limit.")
        ] = 0.0,
    ) -> Response:
        """Give the value that a task returned."""
        view = await self._service.get(task_id)
        view = await self._service.changes.until_ended(view, min(wait, self._max_wait), lambda: _disconnected(request))
        at = views.links(request, task=True)
        if not view.ended:
            seconds = await self._service.remaining(view)
            headers = {"Location": at.status(task_id), "Retry-After": _retry(seconds)}
            return _json(plain_json(views.pending(view, at, seconds)), 202, headers)
        if view.state is State.SUCCEEDED and not self._service.expired(view):
            try:
                value = to_json(self._service.value(view))
            except NotJSON as error:
                raise Problem(406, "not-json", "The result has no form in JSON", str(error), task_id=task_id) from None
            return _json(b'{"task_id":"%s","status":"succeeded","result":%s}' % (task_id.encode(), value))
        raise self._ended(view)

    def _ended(self, view: Any) -> Problem:
        if view.state is State.CANCELLED:
            return Problem(409, "cancelled", "The task was cancelled", "There is no result", task_id=view.id)
        if view.state in (State.FAILED, State.DEAD):
            error = views.failure(view.error) or {"type": "", "message": ""}
            detail = ": ".join(text for text in error.values() if text) or "It failed"
            return Problem(424, "failed", "The task failed", detail, task_id=view.id, error=error)
        return Problem(410, "gone", "The result is gone", "It was kept for as long as was promised", task_id=view.id)

    async def events(
        self,
        task_id: str,
        request: Request,
        last_event_id: Annotated[str | None, Header(description="What a browser sends as it comes back.")] = None,
    ) -> Response:
        """Stream a task as it changes: server-sent events, which end with the task."""
        view = await self._service.get(task_id)
        seen = events.last_seen(last_event_id)
        if view.ended and view.version <= seen:
            return Response(status_code=204)  # what tells an EventSource to stay away
        at = views.links(request, task=True)
        return await events.respond(
            events.stream(
                view, self._service.changes, lambda found: plain_json(views.shown(found, at)), seen, self._ping
            )
        )

    async def cancel(self, task_id: str, request: Request) -> Response:
        """Cancel a task that waits, or ask one that runs to stop."""
        view = await self._service.get(task_id)
        if not view.ended:
            state = await self._service.cancel(task_id)
            view = await self._service.get(task_id)
            if state in (State.CANCELLED, State.RUNNING):
                body = plain_json(views.shown(view, views.links(request, task=True)))
                return _json(body, 200 if view.state is State.CANCELLED else 202)
        raise Problem(
            409, "ended", "The task has ended", f"It is {view.state.value}: nothing can be cancelled", task_id=task_id
        )


def make_router(
    queue: TaskQueue,
    *,
    prefix: str,
    expose: Iterable[str] | None,
    client: Callable[[Request], str] | None,
    dependencies: Sequence[Depends] | None,
    responses: Mapping[int | str, dict[str, Any]] | None,
    max_body: int,
    max_wait: float,
    max_waiting: int,
    max_queued: int | None,
    ping: float,
) -> APIRouter:
    """Return the routes of a queue; `fastcore.tasks.http.router` says what they take."""
    if queue.max_queued is not None:
        max_queued = None  # the store counts by itself
    service = TaskService(queue, None if expose is None else frozenset(expose), max_waiting, max_queued)
    routes = Routes(service, client, max_body, max_wait, ping)
    router = APIRouter(
        prefix=prefix,
        tags=["tasks"],
        route_class=TaskRoute,
        dependencies=dependencies,
        responses={**_INVALID, **_BUSY, **(responses or {})},
    )
    plain: dict[str, Any] = {"response_model": None}
    router.add_api_route(
        "",
        routes.submit,
        methods=["POST"],
        status_code=202,
        openapi_extra=REQUEST,
        summary="Queue a task",
        responses={
            202: answer(models.Accepted, "The task is queued.", location="Where it is told of.", retry_after=True),
            400: problem("The Idempotency-Key cannot be used."),
            404: problem("There is no task of this name."),
            409: problem("The first request of this key is still being worked on.", retry_after=True),
            413: problem("The body is too large."),
            415: problem("The body is not JSON."),
        },
        **plain,
    )
    router.add_api_route(
        "",
        routes.list,
        methods=["GET"],
        summary="List tasks",
        responses={200: answer(models.TaskList, "A page of tasks.")},
        **plain,
    )
    router.add_api_route(
        "/task/{task_id}",
        routes.get,
        methods=["GET"],
        summary="A task",
        responses={200: answer(models.TaskBody, "Where it is."), **_TASK},
        **plain,
    )
    router.add_api_route(
        "/task/{task_id}",
        routes.cancel,
        methods=["DELETE"],
        summary="Cancel a task",
        responses={
            200: answer(models.TaskBody, "It waited, and is cancelled."),
            202: answer(models.TaskBody, "It runs, and was asked to stop."),
            409: problem("It has ended."),
            **_TASK,
        },
        **plain,
    )
    router.add_api_route(
        "/task/{task_id}/result",
        routes.result,
        methods=["GET"],
        summary="The result of a task",
        responses={
            200: answer(models.Result, "The task succeeded."),
            202: answer(models.Pending, "It has not ended yet.", location="Where it is told of.", retry_after=True),
            406: problem("The result has no form in JSON."),
            409: problem("It was cancelled."),
            410: problem("The result was dropped when its time was over."),
            424: problem("It failed."),
            **_TASK,
        },
        **plain,
    )
    router.add_api_route(
        "/task/{task_id}/events",
        routes.events,
        methods=["GET"],
        summary="The events of a task",
        response_class=StreamingResponse,
        responses={
            200: {
                "description": "Server-sent events.",
                "content": {"text/event-stream": {"schema": EVENT}},
            },
            204: {"description": "It has ended, and the client knows."},
            **_TASK,
        },
        **plain,
    )
    for path, allowed in (
        ("", ("GET", "POST")),
        ("/task/{task_id}", ("DELETE", "GET")),
        ("/task/{task_id}/result", ("GET",)),
        ("/task/{task_id}/events", ("GET",)),
    ):
        others = [method for method in _METHODS if method not in allowed]
        router.add_api_route(path, _refusal(allowed), methods=others, include_in_schema=False, response_model=None)
    return router


def _refusal(allowed: Sequence[str]) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    """The answer to other methods: Starlette's own tells only those of the first route of a path."""

    async def refuse(request: Request) -> Response:
        detail = f"method: expected {' or '.join(allowed)}, got {request.method}"
        response = Problem(405, "method", "The method is not allowed here", detail).response()
        response.headers["Allow"] = ", ".join(allowed)
        return response

    return refuse


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _json(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(body, status, headers, "application/json")


def _retry(seconds: float | None) -> str:
    """When to ask for the result: not every second for what takes an hour, nor an hour later for what may be sooner."""
    return str(min(60, max(1, int(seconds / 2)))) if seconds is not None else str(int(_RETRY_RESULT))
