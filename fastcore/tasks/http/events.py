"""Server-sent events: a task's state as it changes, up to its end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

from starlette.responses import StreamingResponse

from fastcore.tasks.errors import UnknownTask
from fastcore.tasks.http.changes import Changes
from fastcore.tasks.records import State, TaskView

__all__ = ["PING", "event", "last_seen", "respond", "retry", "stream"]

PING = b": ping\n\n"


def event(name: str, data: bytes, number: int) -> bytes:
    """Return one event; `data` is JSON and so holds no line break."""
    return b"event: %s\nid: %d\ndata: %s\n\n" % (name.encode(), number, data)


def retry(seconds: float) -> bytes:
    """Return what tells the client how long to wait before it connects again."""
    return b"retry: %d\n\n" % round(seconds * 1000)


def last_seen(header: str | None) -> int:
    """Return the number in a Last-Event-ID, or -1: who sends what we never sent is told everything."""
    return int(header) if header is not None and header.isascii() and header.isdecimal() and len(header) < 19 else -1


async def respond(chunks: AsyncGenerator[bytes]) -> StreamingResponse:
    """Return the response that sends a stream: the first chunk is made here, so that its errors are answers."""
    return _Events(await anext(chunks), chunks)


class _Events(StreamingResponse):
    """A stream that has begun, and that is closed however the response ends."""

    def __init__(self, first: bytes, rest: AsyncGenerator[bytes]) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            yield first
            async for chunk in rest:
                yield chunk

        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(chunks(), media_type="text/event-stream", headers=headers)
        self._rest = rest

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._rest.aclose()


async def stream(
    view: TaskView, changes: Changes, shown: Callable[[TaskView], bytes], seen: int, ping: float
) -> AsyncGenerator[bytes]:
    """Give the events of a task: "state" when its state has changed, "progress" when anything else has, "end" last.

    An event tells all there is to tell at its time. So it is the latest that counts, and a client that was away gets
    that one and has missed nothing but what it replaced.
    """
    with changes.place():
        yield retry(2.0)
        state: State | None = None
        if view.version > seen or view.ended:
            yield _told(view, state, shown)
            state = view.state
        try:
            async with aclosing(changes.of(view, quiet=ping)) as following:
                async for found in following:
                    if found is None:
                        yield PING
                    else:
                        yield _told(found, state, shown)
                        state = found.state
        except UnknownTask:  # forgotten since
            return


def _told(view: TaskView, before: State | None, shown: Callable[[TaskView], bytes]) -> bytes:
    name = "end" if view.ended else "progress" if view.state is before else "state"
    return event(name, shown(view), view.version)
