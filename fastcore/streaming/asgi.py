"""The ASGI entry: the handshake from any ASGI server, and the plain link for servers without a transport."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import TYPE_CHECKING, Any, TypeAlias

from fastcore.streaming import jsonwire, messages
from fastcore.streaming.admission import REASONS, Admission, Asking, Scope, asking
from fastcore.streaming.redaction import redact_uvicorn
from fastcore.streaming.security import Grant
from fastcore.streaming.session import Session

if TYPE_CHECKING:
    from fastcore.streaming.hub import Hub

__all__ = ["EXTENSION", "AsgiLink", "Endpoint", "Receive", "Send"]

Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[dict[str, Any]], Awaitable[None]]

EXTENSION = "fastcore.connection"  # in the scope's extensions: the server's connection, which can be taken over


class Endpoint:
    """The ASGI application of one hub, which :meth:`Hub.route` adds to a router."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._admission = Admission(hub)
        redact_uvicorn()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            raise RuntimeError(f"stream: expected a websocket, got {scope['type']}")
        hub = self._hub
        await receive()  # websocket.connect
        asked = asking(scope)
        status = await self._admission.take(asked)
        if status:
            await _refuse(scope, send, status)
            return
        address = asked.caller.address
        session: Session | None = None
        try:
            grant = await hub.clients.grant(asked.handshake.token, asked.caller)
            offered = scope.get("subprotocols") or ()
            chosen = next((one for one in offered if one in (messages.SUBPROTOCOL, jsonwire.SUBPROTOCOL)), None)
            text = chosen == jsonwire.SUBPROTOCOL
            await send({"type": "websocket.accept", "subprotocol": chosen})
            connection = (scope.get("extensions") or {}).get(EXTENSION)
            if connection is not None:
                session = connection.take_over(hub, address, text)
                if session is not None:
                    self._begin(session, asked, grant)
                return
            hub.slow_path = True
            link = AsgiLink(hub.limits.linger, text)
            session = link.session = Session(hub.clients, link, address)
            hub.clients.add(session)
            self._begin(session, asked, grant)
            await link.run(receive, send, hub.limits.message_size)
        finally:
            if session is None:
                hub.clients.seats.leave(address)

    def _begin(self, session: Session, asked: Asking, grant: Grant | None) -> None:
        if self._hub.clients.asks_of_callers:
            session.caller = asked.caller  # for tokens that come later
        if asked.problem:
            session.complain(0, messages.BAD_MESSAGE, asked.problem)
        if grant is None and asked.handshake.token is not None:
            session.close(messages.CLOSE_REFUSED, "token: refused")
        else:
            session.open(grant, asked.handshake.topics)


async def _refuse(scope: Scope, send: Send, status: int) -> None:
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": 1013})  # before it was accepted: the server answers 403
        return
    body = f"{REASONS[status]}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    if status != 403:
        headers.append((b"retry-after", b"5"))
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


def _seen(task: asyncio.Future[Any]) -> None:
    """Ignore the error of a link's task: the client is lost."""
    if not task.cancelled():
        task.exception()


class AsgiLink:
    """A client behind `send` and `receive`: messages are unframed again, and sent one by one."""

    deflate: int | None = None  # the server compresses as it likes
    fd: int | None = None

    def __init__(self, linger: float, text: bool = False) -> None:
        self.session: Session | None = None
        self._text = text  # the protocol in JSON
        self._linger = linger
        self._queue: deque[bytes] = deque()
        self._buffered = 0
        self._wake = asyncio.Event()
        self._done = asyncio.Event()
        self._goodbye: tuple[int, str] | None = None

    def write(self, data: bytes) -> None:
        self._queue.append(data)
        self._buffered += len(data)
        self._wake.set()
        if self.session is not None and self._buffered > len(data):  # the one before is still under way
            self.session.pause()

    def writelines(self, lines: Iterable[bytes]) -> None:
        self.write(b"".join(lines))

    def buffered(self) -> int:
        return self._buffered

    def close(self, code: int, reason: str) -> None:
        self._goodbye = code, reason.encode(errors="replace")[:123].decode(errors="ignore")  # what a close frame holds
        self._wake.set()
        asyncio.get_running_loop().call_later(self._linger, self._done.set)

    async def run(self, receive: Receive, send: Send, message_size: int) -> None:
        """Carry messages until either side ends."""
        tasks = [
            asyncio.ensure_future(self._receive(receive, message_size)),
            asyncio.ensure_future(self._send(send)),
            asyncio.ensure_future(self._done.wait()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if self.session is not None:
                self.session.lost()
                self.session = None
            for task in tasks:
                task.cancel()
                task.add_done_callback(_seen)
            await asyncio.wait(tasks)  # gather would hide who cancelled, which anyio's scopes ask

    async def _receive(self, receive: Receive, message_size: int) -> None:
        while True:
            message = await receive()
            session = self.session
            if message["type"] == "websocket.disconnect" or session is None:
                if session is not None:
                    session.lost(message.get("code") or 1005)
                return
            data = message.get("text" if self._text else "bytes")
            if data is None:
                session.close(messages.CLOSE_TEXT, messages.OTHER_KIND[self._text])
                continue
            if self._text:
                data = data.encode(errors="surrogatepass")
            if len(data) > message_size:
                session.close(1009, f"message: expected at most {message_size} bytes")
            else:
                session.receive(data, messages.parse_text if self._text else messages.parse)

    async def _send(self, send: Send) -> None:
        while True:
            while self._queue:
                data = self._queue.popleft()
                await self._deliver(send, data)
                self._buffered -= len(data)
            if self._goodbye is not None:
                await self._leave(send, *self._goodbye)
                return
            if self.session is not None:
                self.session.resume()
            self._wake.clear()
            if not self._queue:
                await self._wake.wait()

    async def _deliver(self, send: Send, data: bytes) -> None:
        for payload in jsonwire.payloads(data):
            if self._text:
                for text in jsonwire.texts(payload):
                    await send({"type": "websocket.send", "text": text})
            else:
                await send({"type": "websocket.send", "bytes": payload})

    async def _leave(self, send: Send, code: int, reason: str) -> None:
        await send({"type": "websocket.close", "code": code, "reason": reason})
