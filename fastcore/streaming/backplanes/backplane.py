"""The protocol of backplanes, which carry messages between hubs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

from fastcore.streaming.checks import check_key

__all__ = ["Backplane", "BackplaneFull", "BackplaneState", "Key", "Published", "Sink", "check_publish"]

Key: TypeAlias = str | bytes | int | None


class Published(NamedTuple):
    """A message with its number in the numbering that all nodes share.

    Examples
    --------
    >>> from fastcore.framing import packb, unpackb
    >>> from fastcore.streaming import Published
    >>> unpackb(Published("prices.AAPL", 42, "AAPL", packb(187.25)).body)
    187.25
    """

    topic: str
    offset: int
    key: Key
    body: bytes  # the object as msgpack, without an envelope


class BackplaneFull(RuntimeError):
    """More messages wait for the backplane than its limit allows: nothing was published.

    Examples
    --------
    >>> from fastcore.streaming import BackplaneFull
    >>> issubclass(BackplaneFull, RuntimeError)
    True
    """


class BackplaneState(NamedTuple):
    """The state of a backplane, for readiness checks and dashboards.

    Examples
    --------
    >>> from fastcore.streaming import UnixBus
    >>> UnixBus("desk").state().connected
    False
    """

    connected: bool
    role: str  # "host" or "member" of a bus, "client" of a server, "closed"
    epoch: str
    offset: int  # of the last message delivered here
    waiting: int  # bytes published here that are not numbered yet
    nodes: int  # as far as known, this one included


class Sink(Protocol):
    """The receiver of a backplane: a hub. All calls come on the event loop's thread."""

    def renew(self, epoch: str, floor: int, newest: Sequence[Published]) -> None:
        """Begin a numbering, or another one.

        Messages above `floor` will follow, each once, their offsets growing (not always by one: the numbering is of all
        topics together). Nothing is known of those up to `floor`, but for `newest`: of each key the newest one.
        """

    def deliver(self, message: Published) -> None:
        """Give a message to the clients of this node."""


@runtime_checkable
class Backplane(Protocol):
    """Carries what is published on any node to every node, this one included, in one order and numbered once.

    Examples
    --------
    >>> from fastcore.streaming import Backplane, Hub, UnixBus
    >>> bus: Backplane = UnixBus("desk")
    >>> hub = Hub(backplane=bus)
    """

    async def start(self, sink: Sink) -> None:
        """Connect; returns once `sink` has its numbering and what history there is."""

    def publish(self, topic: str, body: bytes, key: Key = None) -> None:
        """Hand over a message, on the event loop's thread; it comes back through ``sink.deliver``.

        Raises
        ------
        BackplaneFull
            If the connection has been away for so long that what waits is beyond the limit.
        """

    def state(self) -> BackplaneState:
        """Return the state."""

    async def aclose(self) -> None:
        """Send waiting messages, for up to a second, and disconnect."""


def check_publish(topic: object, body: object, key: object) -> None:
    """Refuse what could not be delivered, before it gets a number."""
    if type(topic) is not str:
        raise TypeError(f"topic: expected a str, got {type(topic).__name__}")
    if type(body) is not bytes:
        raise TypeError(f"body: expected bytes, got {type(body).__name__}")
    check_key(key)
