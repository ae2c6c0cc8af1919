"""Statistics of a hub, for people and for metrics."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from fastcore.metrics import Sample

if TYPE_CHECKING:
    from fastcore.streaming.hub import Hub

__all__ = ["HubStats", "Samples"]


class HubStats(NamedTuple):
    """Counts since the start, and the current state.

    `clients` have been welcomed, `waiting` are yet to show a token; `closed` counts by close code (those of
    applications and clients beyond the first 20 as 0), `refused` by HTTP status. `delivered` are messages times
    clients.

    Examples
    --------
    >>> from fastcore.streaming import Hub
    >>> stats = Hub().stats()
    >>> stats.clients, stats.published
    (0, 0)
    """

    clients: int
    waiting: int
    topics: int
    subscriptions: int
    published: int
    delivered: int
    conflated: int
    dropped: int
    bytes_out: int
    backlog_bytes: int
    blocked: int
    closed: dict[int, int]
    refused: dict[int, int]

    @classmethod
    def of(cls, hub: Hub) -> HubStats:
        fan = hub.fanned()
        return cls(
            clients=fan.connections,
            waiting=len(hub.clients) - fan.connections,
            topics=fan.topics,
            subscriptions=fan.subscriptions,
            published=fan.published,
            delivered=fan.delivered,
            conflated=fan.conflated,
            dropped=fan.dropped,
            bytes_out=fan.bytes_out,
            backlog_bytes=fan.backlog_bytes,
            blocked=fan.blocked,
            closed=dict(hub.clients.closed_by),
            refused=dict(hub.refused),
        )


_COUNTED = ("published", "delivered", "conflated", "dropped")
_STANDING = ("clients", "waiting", "topics", "subscriptions", "blocked", "backlog_bytes")


class Samples:
    """Adds a hub's statistics to the metrics while the hub exists."""

    def __init__(self, hub: Hub) -> None:
        self._hub = weakref.ref(hub)

    def __call__(self) -> Iterable[Sample]:
        hub = self._hub()
        if hub is None:
            return []
        stats = hub.stats()
        found = [Sample(f"fastcore_stream_{name}_total", "counter", (), getattr(stats, name)) for name in _COUNTED]
        found.append(Sample("fastcore_stream_sent_bytes_total", "counter", (), stats.bytes_out))
        found += [Sample(f"fastcore_stream_{name}", "gauge", (), float(getattr(stats, name))) for name in _STANDING]
        found += [
            Sample("fastcore_stream_closed_total", "counter", (("code", str(code or "other")),), count)
            for code, count in stats.closed.items()
        ]
        found += [
            Sample("fastcore_stream_refused_total", "counter", (("status", str(status)),), count)
            for status, count in stats.refused.items()
        ]
        return found
