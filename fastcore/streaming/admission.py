"""Admission of clients: parsing of a request, and the answer to a refused one."""

from __future__ import annotations

import logging
import time
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from urllib.parse import parse_qs

from fastcore.streaming import messages
from fastcore.streaming.caller import Caller
from fastcore.streaming.link import Handshake
from fastcore.streaming.messages import BadMessage, Subscribe, last_of, since_of

if TYPE_CHECKING:
    from fastcore.streaming.hub import Hub

__all__ = ["REASONS", "Admission", "Asking", "Scope", "asking"]

Scope: TypeAlias = MutableMapping[str, Any]

REASONS = {
    401: "token: refused",
    403: "origin not allowed",
    429: "too many connections from this address",
    503: "no room, come back",
}

_log = logging.getLogger("fastcore.streaming")


class Asking(NamedTuple):
    """The request of a connecting client."""

    handshake: Handshake
    problem: str  # with the query; empty where there is no problem
    caller: Caller
    origins: list[str]


class Admission:
    """Lets clients of one hub in, by its state, its Origins and its Limits, and takes their seats."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._told = float("-inf")  # when the last refusal was logged

    async def take(self, asking: Asking) -> int:
        """Take a seat; 0, or the HTTP status that says why there is none."""
        hub, caller = self._hub, asking.caller
        status = 0
        host = caller.headers.get("host")
        if not hub.origins.allow(asking.origins, host):
            status = 403
            self._tell("a page of origin %r was refused: the Host header says %r", ", ".join(asking.origins), host)
        elif hub.draining:
            status = 503
        else:
            try:
                await hub.start()
            except Exception as error:
                status = 503
                self._tell("a client was refused: the backplane does not start: %r", error)
        status = status or hub.clients.seats.take(caller.address)
        if status:
            hub.refused[status] += 1
        return status

    def _tell(self, text: str, *values: object) -> None:
        """Log at most once a second: clients control the rate of refusals."""
        now = time.monotonic()
        if now - self._told >= 1.0:
            self._told = now
            _log.warning(text, *(f"{value}"[:300] for value in values))


def asking(scope: Scope) -> Asking:
    """Read the URL and the headers."""
    headers = _headers(scope)
    client = scope.get("client")
    joined = {
        name.decode("latin-1"): ("; " if name == b"cookie" else ", ").join(values) for name, values in headers.items()
    }
    caller = Caller(joined, client[0] if client else None, str(scope.get("path", "")))
    handshake, problem = _handshake(scope, headers)
    return Asking(handshake, problem, caller, headers.get(b"origin", []))


def _headers(scope: Scope) -> dict[bytes, list[str]]:
    found: dict[bytes, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.lower(), []).append(value.decode("latin-1"))
    return found


def _first(headers: dict[bytes, list[str]], name: bytes) -> str | None:
    values = headers.get(name)
    return values[0] if values else None


def _handshake(scope: Scope, headers: dict[bytes, list[str]]) -> tuple[Handshake, str]:
    """Return the request of the URL and the headers, and its problem."""
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
        since = last = None
        try:
            since = _since(query)
            last = _last(query)
        except BadMessage as error:
            problem = str(error)
        topics = Subscribe(0, names, since, query.get("newest") == ["1"], last=last)
    return Handshake(token, topics), problem


def _last(query: dict[str, list[str]]) -> int | None:
    if "last" not in query:
        return None
    text = query["last"][0]
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise BadMessage(f"last: expected an int >= 0, got {text[:80]!r}")
    return last_of(int(text), 0)


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
