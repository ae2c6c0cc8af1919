"""The link to a client, and the data of its connection request."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

from fastcore.streaming.messages import Subscribe

__all__ = ["Handshake", "Link"]


class Link(Protocol):
    """The way to a client; `write` takes whole WebSocket frames."""

    deflate: int | None
    fd: int | None  # of a socket that frames may be sent to past this link, as long as the session is not blocked

    @property
    def write(self) -> Callable[[bytes], Any]: ...

    @property
    def writelines(self) -> Callable[[Iterable[bytes]], Any]: ...

    def close(self, code: int, reason: str) -> None:
        """Close; nothing is written after it."""

    def buffered(self) -> int:
        """Bytes that were written and are still in this process."""


class Handshake(NamedTuple):
    """The data of a client's connection request."""

    token: str | None = None
    topics: Subscribe | None = None
