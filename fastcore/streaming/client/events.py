"""Events of a client: messages, and notices about its link."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

from fastcore.streaming.backplanes.backplane import Key

__all__ = [
    "Connected",
    "Disconnected",
    "Gap",
    "Message",
    "Notice",
    "Refusal",
    "Skipped",
    "StreamClosed",
    "SubscribeError",
    "Subscribed",
    "Unsubscribed",
]


class Message(NamedTuple):
    """An object that was published to a topic."""

    topic: str
    data: Any
    offset: int
    key: Key = None


class Connected(NamedTuple):
    """The server has let the client in; `restarted` says that its epoch is another than the last time."""

    epoch: str
    restarted: bool
    session: str


class Subscribed(NamedTuple):
    """A topic's messages begin after `offset`, or go on where they left off if it is `recovered`."""

    topic: str
    offset: int
    recovered: bool


class Unsubscribed(NamedTuple):
    """The server has removed subscriptions; the client does not request them again."""

    topics: tuple[str, ...]


class Gap(NamedTuple):
    """Messages of a topic were missed and are not known any more; the newest of each key follows.

    `offset` is the last one handled before, or None where none was, or where the epoch is another.
    """

    topic: str
    offset: int | None
    epoch: str


class Refusal(NamedTuple):
    """The server answers a request with an error; the link stays. `ref` is 0 for what was asked with connect."""

    ref: int
    code: int
    text: str


class Skipped(NamedTuple):
    """A message of a topic came that the client cannot read: it is passed over, `text` says why."""

    topic: str
    at: int
    text: str


class Disconnected(NamedTuple):
    """The link is down; the client reconnects in `delay` seconds, or not at all if that is None."""

    code: int
    reason: str
    delay: float | None


Notice: TypeAlias = Connected | Subscribed | Unsubscribed | Gap | Refusal | Skipped | Disconnected


class StreamClosed(ConnectionError):
    """The server has closed the link with a code that forbids reconnecting."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"stream: expected a link, got closed with {code} ({reason or 'no reason given'})")
        self.code = code
        self.reason = reason


class SubscribeError(ValueError):
    """The server refuses a subscription."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
