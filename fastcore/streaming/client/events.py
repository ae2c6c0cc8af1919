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
    """An object that was published to a topic.

    Examples
    --------
    >>> from fastcore.streaming import Message
    >>> message = Message("prices.AAPL", {"price": 187.25}, offset=42, key="AAPL")
    >>> message.topic, message.data["price"]
    ('prices.AAPL', 187.25)
    """

    topic: str
    data: Any
    offset: int
    key: Key = None


class Connected(NamedTuple):
    """The server has let the client in; `restarted` says that its epoch is another than the last time.

    Examples
    --------
    >>> from fastcore.streaming import Client, Connected
    >>> def notice(event):
    ...     if isinstance(event, Connected):
    ...         print("restarted" if event.restarted else "connected")
    >>> client = Client("ws://localhost:8000/stream", on_notice=notice)
    >>> notice(Connected(epoch="a", restarted=False, session="b"))
    connected
    """

    epoch: str
    restarted: bool
    session: str


class Subscribed(NamedTuple):
    """A topic's messages begin after `offset`, or go on where they left off if it is `recovered`.

    Examples
    --------
    >>> from fastcore.streaming import Subscribed
    >>> Subscribed("prices.AAPL", offset=41, recovered=True).recovered
    True
    """

    topic: str
    offset: int
    recovered: bool


class Unsubscribed(NamedTuple):
    """The server has removed subscriptions; the client does not request them again.

    Examples
    --------
    >>> from fastcore.streaming import Unsubscribed
    >>> Unsubscribed(("orders.ann",)).topics
    ('orders.ann',)
    """

    topics: tuple[str, ...]


class Gap(NamedTuple):
    """Messages of a topic were missed and are not known any more; the newest of each key follows.

    `offset` is the last one handled before; None where no message was, or where the epoch is another.

    Examples
    --------
    >>> from fastcore.streaming import Gap
    >>> gap = Gap(topic="prices.AAPL", offset=41, epoch="a")
    >>> gap.topic, gap.offset
    ('prices.AAPL', 41)
    """

    topic: str
    offset: int | None
    epoch: str


class Refusal(NamedTuple):
    """The server answers a request with an error; the link stays. `ref` is 0 for what was asked with connect.

    Examples
    --------
    >>> from fastcore.streaming import Refusal
    >>> Refusal(ref=1, code=3003, text="topic not allowed").code
    3003
    """

    ref: int
    code: int
    text: str


class Skipped(NamedTuple):
    """A message of a topic came that the client cannot read: it is passed over, `text` says why.

    Examples
    --------
    >>> from fastcore.streaming import Skipped
    >>> Skipped("prices.AAPL", 42, "deeper than 64 levels").at
    42
    """

    topic: str
    at: int
    text: str


class Disconnected(NamedTuple):
    """The link is down; the client reconnects in `delay` seconds, or not at all if that is None.

    Examples
    --------
    >>> from fastcore.streaming import Disconnected
    >>> Disconnected(code=1012, reason="restart", delay=0.7).delay
    0.7
    """

    code: int
    reason: str
    delay: float | None


Notice: TypeAlias = Connected | Subscribed | Unsubscribed | Gap | Refusal | Skipped | Disconnected


class StreamClosed(ConnectionError):
    """The server has closed the link with a code that forbids reconnecting.

    Examples
    --------
    >>> from fastcore.streaming import StreamClosed
    >>> error = StreamClosed(3005, "the token has expired")
    >>> error.code, isinstance(error, ConnectionError)
    (3005, True)
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"stream: expected a link, got closed with {code} ({reason or 'no reason given'})")
        self.code = code
        self.reason = reason


class SubscribeError(ValueError):
    """The server refuses a subscription.

    Examples
    --------
    >>> from fastcore.streaming import SubscribeError
    >>> SubscribeError(3003, "topic not allowed").code
    3003
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
