"""Limits of a hub, and the counters behind them."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

__all__ = ["Bucket", "Limits", "Seats"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a Hub; None is unlimited.

    Parameters
    ----------
    connections : int, default 20,000
        Clients at once; further ones are answered 503.
    per_address : int, optional
        Clients at once from one address; further ones are answered 429. Behind a proxy every client may have the
        proxy's address, so there is no bound unless one is set.
    subscriptions : int, default 128
        Topics and patterns of a client.
    topic_length : int, default 255
        Characters of a topic.
    message_size : int, default 64 KiB
        Bytes of a message from a client, after inflation.
    message_rate : float, default 50
        Messages of a client per second, WebSocket's own pings included ...
    message_burst : int, default 200
        ... after a burst of this size.
    bad_messages : int, default 10
        Invalid messages of a client; one more closes it.
    backlog : int, default 1 MiB
        Bytes held back for one client.
    total_backlog : int, default 64 MiB
        Bytes held back for all.
    inbox : int, default 64 MiB
        Bytes published by other threads that the loop has not taken up.
    stalled : float, default 10
        Seconds that a client may read nothing.
    token : float, default 10
        Seconds until a client must have sent a valid token.
    hook : float, default 10
        Seconds that one of the functions of :meth:`Hub.on_connect` and its like may take for a client.
    linger : float, default 5
        Seconds that a closed client has to read pending messages and to answer the close.

    Examples
    --------
    >>> from fastcore.streaming import Hub, Limits
    >>> hub = Hub(limits=Limits(connections=5000, per_address=50))
    """

    connections: int | None = 20_000
    per_address: int | None = None
    subscriptions: int = 128
    topic_length: int = 255
    message_size: int = 1 << 16
    message_rate: float | None = 50.0
    message_burst: int = 200
    bad_messages: int = 10
    backlog: int = 1 << 20
    total_backlog: int = 64 << 20
    inbox: int = 64 << 20
    stalled: float = 10.0
    token: float = 10.0
    hook: float = 10.0
    linger: float = 5.0

    def __post_init__(self) -> None:
        for field in fields(self):
            _check(field.name, getattr(self, field.name), str(field.type))


def _check(name: str, value: Any, kind: str) -> None:
    if value is None and kind.endswith("| None"):
        return
    if kind.startswith("int"):
        if type(value) is not int:
            raise TypeError(f"{name}: expected an int, got {type(value).__name__}")
        if value < 1:
            raise ValueError(f"{name}: expected an int >= 1, got {value}")
    else:
        if type(value) not in (int, float):
            raise TypeError(f"{name}: expected a number, got {type(value).__name__}")
        if not (value > 0 and math.isfinite(value)):
            raise ValueError(f"{name}: expected a finite number > 0, got {value}")


class Bucket:
    """A token bucket: `rate` a second, `burst` at once."""

    __slots__ = ("_level", "_when")

    def __init__(self, burst: int, now: float) -> None:
        self._level = float(burst)
        self._when = now

    def take(self, rate: float, burst: int, now: float) -> bool:
        """Take one; False if there is none."""
        level = min(self._level + (now - self._when) * rate, float(burst))
        self._when = now
        if level < 1.0:
            self._level = level
            return False
        self._level = level - 1.0
        return True


class Seats:
    """Connections, counted in all and by address."""

    __slots__ = ("_by_address", "_limits", "taken")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._by_address: dict[str, int] = {}
        self.taken = 0

    def take(self, address: str | None) -> int:
        """Take a seat; 0, or the HTTP status that says why there is none."""
        limits = self._limits
        if limits.connections is not None and self.taken >= limits.connections:
            return 503
        if address is not None:
            count = self._by_address.get(address, 0)
            if limits.per_address is not None and count >= limits.per_address:
                return 429
            self._by_address[address] = count + 1
        self.taken += 1
        return 0

    def leave(self, address: str | None) -> None:
        """Give a seat back."""
        self.taken -= 1
        if address is not None:
            count = self._by_address.get(address, 0)
            if count > 1:
                self._by_address[address] = count - 1
            else:
                self._by_address.pop(address, None)
