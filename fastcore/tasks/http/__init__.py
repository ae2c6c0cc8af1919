"""Tasks over HTTP: a FastAPI router over a queue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import APIRouter, Request
    from fastapi.params import Depends

    from fastcore.tasks.queue import TaskQueue

__all__ = ["router"]


def router(
    queue: TaskQueue,
    *,
    prefix: str = "/api/tasks",
    expose: Iterable[str] | None = None,
    client: Callable[[Request], str] | None = None,
    dependencies: Sequence[Depends] | None = None,
    responses: Mapping[int | str, dict[str, Any]] | None = None,
    max_body: int = 1 << 20,
    max_wait: float = 30.0,
    max_waiting: int = 1000,
    max_queued: int | None = 100_000,
    ping: float = 15.0,
) -> APIRouter:
    """Return a FastAPI router over a queue.

    Parameters
    ----------
    queue : TaskQueue
    prefix : str
        Where the routes are, under the place that the router itself is given.
    expose : iterable of str, optional
        Names of the tasks that clients may see; by default every registered one. Others are answered 404.
    client : callable, optional
        ``client(request)`` identifies the client, so that equal Idempotency-Keys of different clients do not collide.
    dependencies : sequence of fastapi.Depends, optional
        They guard every route.
    responses : mapping, optional
        What the dependencies may answer, for OpenAPI.
    max_body : int
        Bytes of a submission.
    max_wait : float
        Seconds that ``?wait=`` may ask for; a longer wait is cut to it.
    max_waiting : int
        Requests that wait for tasks or follow their events at a time; one more is answered 503.
    max_queued : int, optional
        Tasks that may wait in the queue when one is submitted over HTTP; one more is answered 503. The store's own
        `max_queued` bounds submissions from Python too.
    ping : float
        Seconds of silence after which a stream of events is given a comment.

    Raises
    ------
    ImportError
        If FastAPI is not installed.
    """
    try:
        from fastcore.tasks.http.routes import make_router
    except ImportError as error:
        if (error.name or "").partition(".")[0] in ("fastapi", "starlette", "pydantic", "pydantic_core"):
            raise ImportError(
                f'TaskQueue.router: expected {error.name} to be installed; pip install "fastcore-native[service]"',
                name=error.name,
            ) from error
        raise
    return make_router(
        queue,
        prefix=prefix,
        expose=expose,
        client=client,
        dependencies=dependencies,
        responses=responses,
        max_body=max_body,
        max_wait=max_wait,
        max_waiting=max_waiting,
        max_queued=max_queued,
        ping=ping,
    )
