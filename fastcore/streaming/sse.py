"""A hub as server-sent events: for clients that only listen, over plain HTTP."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fastcore.streaming import messages
from fastcore.streaming.admission import REASONS, Admission, Asking, Scope, asking
from fastcore.streaming.asgi import AsgiLink, Receive, Send
from fastcore.streaming.jsonwire import Memo, payloads, to_json, values
from fastcore.streaming.messages import BadMessage, Subscribe, comes_back, since_of
from fastcore.streaming.security import UNAVAILABLE
from fastcore.streaming.session import Session

if TYPE_CHECKING:
    from fastcore.streaming.hub import Hub

__all__ = ["EventLink", "Events"]

LONGEST_ID = 4096  # characters: an id comes back in a header, which proxies bound
MOST_TOPICS = 200  # in an id


class Events:
    """An ASGI application that answers GET with the events of one hub: what :meth:`Hub.sse` puts into a router."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._admission = Admission(hub)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"sse: expected a request over HTTP, got {scope['type']}")
        asked = asking(scope)
        wish, problem = _wish(asked)
        if wish is None:
            await _answer(send, 400, problem)
            return
        hub = self._hub
        status = await self._admission.take(asked)
        if status:
            await _answer(send, status, REASONS[status])
            return
        address = asked.caller.address
        session: Session | None = None
        try:
            grant = await hub.clients.grant(asked.handshake.token, asked.caller)
            if grant is None:
                hub.refused[401] += 1
                await _answer(send, 401, REASONS[401])
                return
            if grant is UNAVAILABLE:
                hub.refused[503] += 1
                await _answer(send, 503, "token: it cannot be checked for now")
                return
            await send({"type": "http.response.start", "status": 200, "headers": self._headers(asked)})
            if scope["method"] == "HEAD":
                await send({"type": "http.response.body", "body": b""})
                return
            link = EventLink(hub.limits.linger, wish)
            session = link.session = Session(hub.clients, link, address)
            hub.clients.add(session)
            session.open(grant, wish)
            await link.run(receive, send, 0)
        finally:
            if session is None:
                hub.clients.seats.leave(address)

    def _headers(self, asked: Asking) -> list[tuple[bytes, bytes]]:
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),  # nginx
            (b"vary", b"Origin"),
        ]
        if asked.origins:  # a page of another origin, which is allowed
            headers.append((b"access-control-allow-origin", asked.origins[0].encode("latin-1")))
            if not self._hub.origins.any:
                headers.append((b"access-control-allow-credentials", b"true"))
        return headers


def _wish(asked: Asking) -> tuple[Subscribe | None, str]:
    """Return the topics and the position after the last event; or None and the error."""
    wish = asked.handshake.topics
    if asked.problem or wish is None:
        return None, asked.problem or "topics: expected at least one in the query, got none"
    last = asked.caller.headers.get("last-event-id")
    if last:
        try:
            since = since_of(json.loads(last), 0)
        except (BadMessage, ValueError, RecursionError):
            return wish, ""  # of another stream: as if it were the first time
        wish = wish._replace(since=since)
    return wish, ""


async def _answer(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    if status in (429, 503):
        headers.append((b"retry-after", b"5"))
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{text}\n".encode()})


def _data_event(payload: bytes, name: str) -> str:
    """The event of a data message."""
    [[_, _, offset, obj, *key]] = values(payload)
    told = {"topic": name, "offset": offset, "data": obj}
    if key:
        told["key"] = key[0]
    return f"data: {to_json(told)}\n\n"


_data_events = Memo(_data_event)


class EventLink(AsgiLink):
    """A client that reads events; its messages have names of topics in place of numbers."""

    def __init__(self, linger: float, wish: Subscribe) -> None:
        super().__init__(linger)
        self._wish = wish
        self._names: dict[int, str] = {}
        self._epoch = ""
        self._positions: dict[str, int] = dict(wish.since[1]) if wish.since is not None else {}

    async def _receive(self, receive: Receive, message_size: int) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async def _deliver(self, send: Send, data: bytes) -> None:
        parts: list[str] = []
        pinged = False
        for payload in payloads(data):
            [message] = values(payload)
            if message[0] == messages.DATA:
                parts.append(self._data(payload, message))
            else:
                pinged = pinged or message[0] == messages.PING
                parts.append(self._event(message))
        parts = [part for part in parts if part]
        if parts:
            if not parts[-1].startswith(":"):  # an id belongs to the last event: one that is cut off comes again
                parts[-1] = self._id() + parts[-1]
            await send({"type": "http.response.body", "body": "".join(parts).encode(), "more_body": True})
        if pinged and self.session is not None:
            self.session.receive(messages.PONG_BYTES)  # it was taken, which is all that a listener can answer

    async def _leave(self, send: Send, code: int, reason: str) -> None:
        told = {"code": code, "reason": reason, "again": comes_back(code)}
        body = f"event: closed\ndata: {to_json(told)}\n\n".encode()
        await send({"type": "http.response.body", "body": body, "more_body": False})

    def _id(self) -> str:
        """The client's positions; empty if they are too long for a header."""
        if not self._epoch or len(self._positions) > MOST_TOPICS:
            return "id\n"
        text = json.dumps([self._epoch, self._positions], separators=(",", ":"))
        return f"id: {text}\n" if len(text) <= LONGEST_ID else "id\n"

    def _data(self, payload: bytes, message: list[Any]) -> str:
        name = self._names.get(message[1])
        if name is None or message[2] <= self._positions.get(name, 0):  # the client may be ahead of this node
            return ""
        self._positions[name] = message[2]
        return _data_events(payload, name)

    def _event(self, message: list[Any]) -> str:
        kind = message[0]
        if kind == messages.CONNECT:
            self._epoch = message[1]["epoch"]
            return f"event: welcome\ndata: {to_json(message[1])}\n\n"
        if kind == messages.SUBSCRIBE:
            return self._subscribed(message[2])
        if kind == messages.TOPIC:
            self._names[message[1]] = message[2]
            self._positions.setdefault(message[2], 0)
        elif kind == messages.UNSUBSCRIBE:
            return f"event: unsubscribed\ndata: {to_json(message[2])}\n\n"
        elif kind == messages.EPOCH:
            self._epoch = message[1]
            self._positions.clear()
        elif kind == messages.ERROR:
            return f"event: problem\ndata: {to_json({'code': message[2], 'text': message[3]})}\n\n"
        elif kind == messages.DRAIN:
            return f"retry: {int(message[1] * 1000)}\nevent: drain\ndata: {to_json(message[1])}\n\n"
        elif kind == messages.PING:
            return ": ping\n\n"
        return ""

    def _subscribed(self, entries: list[list[Any]]) -> str:
        for name, number, offset, state in entries:
            self._names[number] = name
            if state == messages.FRESH and not self._wish.newest:
                self._positions[name] = offset
            elif state == messages.GAP:
                self._positions.pop(name, None)
        told = [[name, offset, state] for name, _, offset, state in entries]
        return f"event: subscribed\ndata: {to_json(told)}\n\n"
