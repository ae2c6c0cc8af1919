"""The hub for the dashboard: figures, topics, clients, and how one is disconnected; in the hub's loop."""

from __future__ import annotations

import heapq
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastcore.service.dashboard.queries import searched_text
from fastcore.service.dashboard.sources import Section, Sources
from fastcore.service.dashboard.values import masked, shown

if TYPE_CHECKING:
    from fastcore.streaming import Hub

__all__ = ["clients", "disconnect", "streaming", "topics"]

SHOWN = 50  # clients or topics of an answer
CLOSED = {
    1000: "the client left",
    1001: "the client went away",
    1005: "the client left without a code",
    1006: "the connection broke",
    1013: "told to come later",
    1009: "message too big",
    3001: "drained",
    3005: "token expired",
    3008: "slow",
    3012: "no pong",
    3013: "too many messages",
    3500: "token refused",
    3501: "messages not understood",
    3502: "no token",
    3503: "disconnected by the service",
    403: "origin not allowed",
    429: "too many from one address",
    503: "no room",
}


def streaming(sources: Sources) -> Section:
    """The hub's clients and what is sent to them; read in the hub's loop."""
    if sources.hub is None:
        return {"at": time.time(), "installed": False}
    found = sources.hub.stats()
    ready = sources.hub.readiness()
    codes = {**found.closed, **found.refused}
    return {
        "at": time.time(),
        "installed": True,
        **{name: value for name, value in found._asdict().items() if isinstance(value, int)},
        "path": ready["path"],
        "detail": ready["detail"],
        "closed": [
            {"code": code, "meaning": CLOSED.get(code, ""), "count": count} for code, count in sorted(codes.items())
        ],
    }


def _hub(sources: Sources) -> Hub:
    if sources.hub is None:
        raise LookupError("hub: expected an installed hub, got none")
    return sources.hub


def clients(sources: Sources, query: Mapping[str, str], *, whole: bool) -> dict[str, Any]:
    """Return the clients with most bytes queued, those that came last first among equals.

    Parameters
    ----------
    sources : Sources
    query : mapping
        `text` in the address, the session, or with `whole` the user; a `topic` whose messages reach them; `slow`.
    whole : bool
        Whether users are named.
    """
    hub, text = _hub(sources), searched_text(query, "text", "topic", "slow")
    fan = hub.clients.fan
    wanted: Any = hub.clients.all()
    if topic := query.get("topic", ""):
        wanted = fan.reached(topic)
    rows = []
    for session in wanted:
        if not getattr(session, "welcomed", False) or session.closed or (query.get("slow") and not session.blocked):
            continue
        if text and not any(text in one.casefold() for one in _words(session, whole)):
            continue
        held = fan.backlog(session) + session.link.buffered() if session.blocked else 0
        rows.append((held, session.since, session.id, session))
    most = heapq.nlargest(SHOWN, rows)
    return {
        "at": time.time(),
        "writable": sources.writable,
        "whole": whole,
        "count": len(rows),
        "clients": [_client(session, held, fan.subscriptions(session), whole) for held, *_, session in most],
    }


def _client(session: Any, held: int, names: list[str], whole: bool) -> dict[str, Any]:
    return {
        "id": session.id,
        "address": session.seat or "unknown",
        "user": _user(session) if whole else None,
        "since": session.since,
        "held": held,
        "slow": session.blocked,
        "topics": [masked(name, 100) for name in names[:5]],
        "subscriptions": len(names),
    }


def _words(session: Any, whole: bool) -> tuple[str, ...]:
    return (session.seat or "unknown", session.id, *([_user(session)] if whole else ()))


def _user(session: Any) -> str:
    user = None if session.grant is None else session.grant.user
    return "" if user is None else masked(user, 200) if isinstance(user, str) else shown(user)[:200]


def topics(sources: Sources, query: Mapping[str, str]) -> dict[str, Any]:
    """Return the topics of most messages, of those that have a text in their name."""
    hub, text = _hub(sources), searched_text(query, "text")
    fan = hub.clients.fan
    names = [name for name in fan.topics() if text in name.casefold()]
    busiest = heapq.nlargest(SHOWN, ((fan.offset(name), name) for name in names))
    return {
        "at": time.time(),
        "count": len(names),
        "topics": [
            {"name": name, "messages": messages, "clients": fan.subscribers(name)} for messages, name in busiest
        ],
    }


async def disconnect(sources: Sources, id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Disconnect a client, which does not come back by itself."""
    hub = _hub(sources)
    for session in hub.clients.all():
        if session.id == id and not session.closed:
            hub.disconnect(session.member(), reason="disconnected by an operator")
            return {"disconnected": id}
    raise LookupError(f"client: expected the session of a connected client, got {id!r}")
