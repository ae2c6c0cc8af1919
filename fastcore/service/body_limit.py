"""A limit on the size of a request's body, of every route of an application."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any

from fastcore.dispatch.middleware import App, Receive, Scope, Send
from fastcore.service.access import Refusal, answer_of

__all__ = ["BodyLimitMiddleware", "BodyTooLarge"]

LINGER = 1.0  # seconds in which what still comes is read, and dropped: a client that sends sees no answer yet


class BodyTooLarge(Exception):
    """Raised to an application that reads a body beyond the limit; its answer is replaced by 413."""


class BodyLimitMiddleware:
    """Answers 413 to a request with a body of more than `max_body` bytes, and closes its connection.

    One that says so in Content-Length does not reach the application; of one that does not, the application is given
    no more than the limit.

    Parameters
    ----------
    app : callable
    max_body : int
        In bytes.
    """

    def __init__(self, app: App, *, max_body: int) -> None:
        self.app = app
        self._max = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _may_have_body(scope):
            await self.app(scope, receive, send)
        elif any(name == b"content-length" and self._exceeds(value) for name, value in scope["headers"]):
            waits = any(name == b"expect" for name, _ in scope["headers"])  # for 100, and sends nothing until then
            await self._refuse(scope, receive, send, more=not waits)
        else:
            await self._count(scope, receive, send)

    def _exceeds(self, told: bytes) -> bool:
        return told.isdigit() and (len(told) > 18 or int(told) > self._max)

    async def _count(self, scope: Scope, receive: Receive, send: Send) -> None:
        size, more, started = 0, True, False

        async def counted() -> MutableMapping[str, Any]:
            nonlocal size, more
            if size > self._max:
                raise BodyTooLarge
            message = await receive()
            if message["type"] == "http.request":
                size += len(message.get("body", b""))
                more = message.get("more_body", False)
                if size > self._max:
                    raise BodyTooLarge
            return message

        async def watched(message: MutableMapping[str, Any]) -> None:
            nonlocal started
            if started or size <= self._max:
                started = True
                await send(message)

        try:
            await self.app(scope, counted, watched)
        except Exception:
            if started or size <= self._max:
                raise
        if size > self._max and not started:
            await self._refuse(scope, receive, send, more)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, more: bool) -> None:
        start, body = answer_of(Refusal(413, f"body: expected at most {self._max:,} bytes, got more"), scope)
        if scope.get("http_version", "1.1").startswith("1"):
            start["headers"].append((b"connection", b"close"))
        await send(start)
        await send({**body, "more_body": True})
        # Closing a connection with unread bytes resets it, and a client that still sends may lose the answer.
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                while more:
                    message = await receive()
                    more = message["type"] == "http.request" and message.get("more_body", False)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _may_have_body(scope: Scope) -> bool:
    """Whether a request has a body; in HTTP/2 and later one that does not tell may have one."""
    if not scope.get("http_version", "1.1").startswith("1"):
        return True
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])
