"""The way in: a handshake as any ASGI server hands it over, and the plain link for servers that give no transport."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qs

from fastcore.streaming import messages
from fastcore.streaming.messages import BadMessage, Subscribe, since_of
from fastcore.streaming.security import Grant
from fastcore.streaming.session import Handshake, Session

if TYPE_CHECKING:
    from fastcore.streaming.hub import Hub

__all__ = ["EXTENSION", "AsgiLink", "Endpoint", "payloads"]

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[dict[str, Any]], Awaitable[None]]

EXTENSION = "fastcore.connection"  # in the scope's extensions: the server's connection, which can be taken over

REASONS = {403: "origin not allowed", 429: "too many connections from this address", 503: "no room, come back"}


class Endpoint:
    """An ASGI application of one hub: what :meth:`Hub.route` puts into a router."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            raise RuntimeError(f"stream: expected a websocket, got {scope['type']}")
        hub = self._hub
        await receive()  # websocket.connect
        await hub.start()
        headers = _headers(scope)
        client = scope.get("client")
        address = client[0] if client else None
        status = 0 if hub.origins.allow(headers.get(b"origin", []), _first(headers, b"host")) else 403
        status = status or (503 if hub.draining else 0) or hub.clients.seats.take(address)
        if status:
            hub.refused[status] += 1
            await _refuse(scope, send, status)
            return
        session: Session | None = None
        try:
            handshake, problem = _handshake(scope, headers)
            grant = await hub.clients.grant(handshake.token)
            offered = scope.get("subprotocols") or ()
            chosen = messages.SUBPROTOCOL if messages.SUBPROTOCOL in offered else None
            await send({"type": "websocket.accept", "subprotocol": chosen})
            connection = (scope.get("extensions") or {}).get(EXTENSION)
            if connection is not None:
                session = connection.take_over(hub, address)
                if session is not None:
                    self._begin(session, handshake, problem, grant)
                return
            hub.slow_path = True
            link = AsgiLink(hub.limits.linger)
            session = link.session = Session(hub.clients, link, address)
            hub.clients.add(session)
            self._begin(session, handshake, problem, grant)
            await link.run(receive, send, hub.limits.message_size)
        finally:
            if session is None:
                hub.clients.seats.leave(address)

    def _begin(self, session: Session, handshake: Handshake, problem: str, grant: Grant | None) -> None:
        if problem:
            session.complain(0, messages.BAD_MESSAGE, problem)
        if grant is None and handshake.token is not None:
            session.close(messages.CLOSE_REFUSED, "token: refused")
        else:
            session.open(grant, handshake.topics)


def _headers(scope: Scope) -> dict[bytes, list[str]]:
    found: dict[bytes, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.lower(), []).append(value.decode("latin-1"))
    return found


def _first(headers: dict[bytes, list[str]], name: bytes) -> str | None:
    values = headers.get(name)
    return values[0] if values else None


def _handshake(scope: Scope, headers: dict[bytes, list[str]]) -> tuple[Handshake, str]:
    """What the URL and the headers ask for, and what is wrong with it."""
    problem = ""
    try:
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"), max_num_fields=100)
    except ValueError as error:
        return Handshake(), f"query: {error}"
    token: str | None = query.get("token", [""])[0] or None
    scheme, _, rest = (_first(headers, b"authorization") or "").partition(" ")
    if scheme.lower() == "bearer" and rest.strip():
        token = rest.strip()
    names = list(dict.fromkeys(name for part in query.get("topics", ()) for name in part.split(",") if name))
    topics = None
    if names:
        since = None
        try:
            since = _since(query)
        except BadMessage as error:
            problem = str(error)
        topics = Subscribe(0, names, since, query.get("newest") == ["1"])
    return Handshake(token, topics), problem


def _since(query: dict[str, list[str]]) -> messages.Since | None:
    if "epoch" not in query:
        return None
    offsets: dict[str, int] = {}
    for part in ",".join(query.get("since", ())).split(","):
        name, colon, offset = part.rpartition(":")
        if part:
            if not colon or not (offset.isascii() and offset.isdigit() and len(offset) < 20):
                raise BadMessage(f"since: expected topic:offset, got {part[:80]!r}")
            offsets[name] = int(offset)
    return since_of([query["epoch"][0], offsets], 0)


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


def payloads(data: bytes) -> Iterable[bytes]:
    """The payloads of whole, unmasked frames, one after the other."""
    at, end = 0, len(data)
    while at < end:
        length = data[at + 1]
        at += 2
        if length >= 126:
            size = 2 if length == 126 else 8
            length = int.from_bytes(data[at : at + size], "big")
            at += size
        yield data[at : at + length]
        at += length


class AsgiLink:
    """A client behind `send` and `receive`: messages are unframed again, and sent one by one."""

    deflate: int | None = None  # the server compresses as it likes
    fd: int | None = None

    def __init__(self, linger: float) -> None:
        self.session: Session | None = None
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
        self._goodbye = code, reason
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
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _receive(self, receive: Receive, message_size: int) -> None:
        while True:
            message = await receive()
            session = self.session
            if message["type"] == "websocket.disconnect" or session is None:
                if session is not None:
                    session.lost(message.get("code") or 1005)
                return
            data = message.get("bytes")
            if data is None:
                session.close(messages.CLOSE_TEXT, "text: expected binary messages")
            elif len(data) > message_size:
                session.close(1009, f"message: expected at most {message_size} bytes")
            else:
                session.receive(data)

    async def _send(self, send: Send) -> None:
        while True:
            while self._queue:
                data = self._queue.popleft()
                for payload in payloads(data):
                    await send({"type": "websocket.send", "bytes": payload})
                self._buffered -= len(data)
            if self._goodbye is not None:
                code, reason = self._goodbye
                await send({"type": "websocket.close", "code": code, "reason": reason})
                return
            if self.session is not None:
                self.session.resume()
            self._wake.clear()
            if not self._queue:
                await self._wake.wait()
