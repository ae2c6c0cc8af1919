"""Server-sent events: a task's state as it changes."""

from __future__ import annotations

__all__ = ["PING", "event", "retry"]

PING = b": ping\n\n"


def event(name: str, data: bytes, number: str) -> bytes:
    """Return one event; `data` is JSON and so holds no line break."""
    return b"event: %s\nid: %s\ndata: %s\n\n" % (name.encode(), number.encode(), data)


def retry(seconds: float) -> bytes:
    """Return what tells the client how long to wait before it connects again."""
    return b"retry: %d\n\n" % round(seconds * 1000)
