"""Fanout: which messages are sent to which clients, without a socket."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, Literal

from fastcore.dispatch.twins import Twin
from python_fallback.shared.framing.fanout import SLOW, Closing, FanoutStats, Sent, Subscription

__all__ = ["SLOW", "Closing", "Fanout", "FanoutStats", "Sent", "Subscription"]

Policy = Literal["all", "conflate", "drop"]


class Fanout(metaclass=Twin, path="framing"):
    """Messages by topic to many clients: each is packed and framed once, and slow clients do not delay the others.

    It owns no socket and no clock: connect clients, publish, and send what :meth:`tick` returns (or use :meth:`send`
    for most of it). Call it from one thread.

    Parameters
    ----------
    policy : {"all", "conflate", "drop"}, default "all"
        What is queued for a client whose connection is full: every message, the newest of each key, or none.
    limit : int, default 1 MiB
        Bytes held back for one client; one with more is closed, with the code :data:`SLOW`.
    total_limit : int, default 64 MiB
        Bytes held back for all; beyond it, the client with the most is closed.
    history : int, default 0
        Messages of a topic kept for clients that reconnect; with 0, the newest of each key are not kept either.
    last : int, default 0
        Messages of each topic that a new subscription begins with, if it does not say itself where it begins.
    max_connections, max_subscriptions, max_topic_length, max_keys : int
        Limits of clients, of subscriptions of a client (128), of characters of a topic (255), and of newest messages
        kept of a topic (10,000; the oldest are dropped).
    level, wbits, threshold : int
        Of deflate, as for :func:`frame`; `wbits` is the largest window used.
    epoch : str, optional
        Identifies this Fanout to clients that reconnect; random by default.
    envelope : callable, optional
        Called with topic, its number, the offset and the object; what it returns is packed. By default that is
        the array ``[topic, offset, object]``.
    default, use_single_float, use_bin_type, strict_types, datetime, unicode_errors, numpy, decimal, max_depth
        As for :func:`packb`.

    Examples
    --------
    >>> fan = Fanout(policy="conflate")
    >>> fan.connect("client 1")
    >>> fan.subscribe("client 1", "prices.*")
    []
    >>> fan.publish("prices.AAPL", 187.5, key="AAPL")
    1
    >>> [len(frames) for frames in fan.tick().values()]
    [1]
    """

    def __init__(
        self,
        *,
        policy: Policy = "all",
        limit: int = 1 << 20,
        total_limit: int = 64 << 20,
        history: int = 0,
        last: int = 0,
        max_connections: int = 2**63 - 1,
        max_subscriptions: int = 128,
        max_topic_length: int = 255,
        max_keys: int = 10_000,
        level: int = 6,
        wbits: int = 12,
        threshold: int = 256,
        epoch: str | None = None,
        envelope: Callable[[str, int, int, Any], Any] | None = None,
        default: Callable[[Any], Any] | None = None,
        use_single_float: bool = False,
        use_bin_type: bool = True,
        strict_types: bool = False,
        datetime: bool = False,
        unicode_errors: str | None = None,
        numpy: bool = False,
        decimal: Literal["str", "float"] | None = None,
        max_depth: int = 128,
    ) -> None: ...

    def connect(self, connection: Hashable, *, deflate: int | None = None, fd: int | None = None) -> None:
        """Add a client.

        Parameters
        ----------
        connection : hashable
            What the client is called here.
        deflate : int, optional
            The window it has agreed to for messages without context takeover, 8 to 15; None for plain frames only.
            (With 8 it gets plain frames too: zlib has no such window.)
        fd : int, optional
            The descriptor of its socket, which does not block, for :meth:`send`. Not on Windows. Disconnect before it
            is closed, and say that the client is blocked as long as anything written to it elsewhere is not sent.
        """

    def disconnect(self, connection: Hashable) -> None:
        """Remove a client and its queued messages; no error if there is no such client."""

    def subscribe(  # type: ignore[empty-body]
        self,
        connection: Hashable,
        topics: str | Iterable[str],
        *,
        since: tuple[str, Mapping[str, int]] | None = None,
        newest: bool = False,
        last: int | None = None,
        allow: Callable[[str], bool] | None = None,
    ) -> list[Subscription]:
        """Subscribe to topics and patterns.

        Parameters
        ----------
        connection : hashable
        topics : str or iterable of str
            Words with dots between them. In a pattern ``*`` stands for one word, ``>`` at its end for one or more.
        since : (epoch, {topic: offset}), optional
            The client's position: missed messages come with the next tick. If they are no longer kept, it gets the
            newest message of each key and a notice. (A topic that a pattern means and `since` does not have counts
            from its beginning.)
        newest : bool, default False
            Begin with the newest message of each key.
        last : int, optional
            Begin with the last so many messages of each topic, as far as history has them; 0 is none of them, whatever
            the rules say. The offset of the :class:`Subscription` is that of the message before them.
        allow : callable, optional
            Called with each topic that a pattern means, once for all who subscribe to the pattern with an equal
            `allow`: only topics for which it is true are subscribed to, those to come included.

        Returns
        -------
        list of Subscription
            One for each topic that is there.

        Raises
        ------
        LookupError
            If there is no such connection.
        ValueError
            If a topic is not well formed, or the subscriptions are too many.
        """

    def follow(  # type: ignore[empty-body]
        self,
        connection: Hashable,
        pattern: str,
        *,
        since: tuple[str, Mapping[str, int]] | None = None,
        newest: bool = False,
        last: int | None = None,
        allow: Callable[[str], bool] | None = None,
    ) -> tuple[Subscription, ...]:
        """Subscribe to one pattern, as :meth:`subscribe` does.

        The answer is made once for all who ask for the same with the very same object of positions, as long as it
        holds: they get the same tuple.
        """

    def forget_answers(self) -> None:
        """Drop the cached answers of :meth:`follow` that were not used since the last call."""

    def unsubscribe(self, connection: Hashable, topics: str | Iterable[str]) -> None:
        """Remove subscriptions, by the names and patterns they were made with."""

    def publish(  # type: ignore[empty-body]
        self,
        topic: str,
        obj: Any = None,
        key: str | bytes | int | None = None,
        *,
        payload: Any = None,
        offset: int | None = None,
    ) -> int:
        """Publish an object, or a payload that is packed already; returns its offset within the topic.

        Parameters
        ----------
        topic : str
        obj : object
            Packed at once, inside the envelope: it may change afterwards.
        key : str, bytes or int, optional
            A newer message of the same key takes the place of this one where the topic's policy is to conflate.
        payload : bytes-like, optional
            Takes the place of the envelope with `obj`.
        offset : int, optional
            Its number, where messages are numbered elsewhere: above all that came before, not always the next one.
        """

    def publish_packed(  # type: ignore[empty-body]
        self, topic: str, body: bytes, key: str | bytes | int | None = None, *, offset: int | None = None
    ) -> int:
        """Publish an object that is packed already; returns its offset within the topic.

        Clients are sent the array ``[1, topic number, offset, object]`` of the wire protocol, with the key as its last
        item if there is one. For callers that have checked topic, key and object: they are taken as they are.

        Parameters
        ----------
        topic : str
        body : bytes-like
            The object, packed.
        key, offset
            As for :meth:`publish`.
        """

    def renew(self, epoch: str, floor: int = 0) -> None:
        """Begin another numbering, one that is shared with other nodes and made elsewhere.

        Histories are forgotten. The newest message of each key stays if `floor` is not below its offset, so that no
        number can come twice.

        Parameters
        ----------
        epoch : str
            Names the numbering.
        floor : int, default 0
            Messages above it will come; of those up to it nothing is known here, so that a client that asks for them is
            told so. A client may be ahead of this node: it is recovered, and passes over what it has seen.
        """

    def blocked(self, connection: Hashable) -> None:
        """Mark a client as blocked, as when a transport pauses writing."""

    def writable(self, connection: Hashable) -> None:
        """Mark a client as ready again; queued messages come with the next tick."""

    def tick(self) -> dict[Any, tuple[bytes, ...]]:  # type: ignore[empty-body]
        """Return the frames for each client since the last tick.

        Clients that get the same share one tuple of frames; short frames are copied together into one.
        """

    def send(self) -> Sent:  # type: ignore[empty-body]
        """Do a :meth:`tick`, and write each client's frames to its `fd`, in one pass.

        Returns
        -------
        Sent
            How many clients there was something for, and the rest by client: all of it for those without `fd`, what
            did not fit for the others. Nothing is said of broken sockets; writing the rest will show them.
        """

    def take_closing(self) -> list[Closing]:  # type: ignore[empty-body]
        """Return the clients that exceeded a limit since the last call. They are already disconnected here."""

    def configure(
        self, pattern: str, *, policy: Policy | None = None, history: int | None = None, last: int | None = None
    ) -> None:
        """Set the rules of the topics that match `pattern`, also later ones; the last call takes precedence."""

    def backlog(self, connection: Hashable) -> int:  # type: ignore[empty-body]
        """Return how many bytes are held back for a client."""

    def subscribers(self, topic: str) -> int:  # type: ignore[empty-body]
        """Return how many clients a message to `topic` would reach."""

    def reached(self, topic: str) -> list[Hashable]:  # type: ignore[empty-body]
        """Return the clients that a message to `topic` would reach."""

    def followers(self, topic: str) -> list[Hashable]:  # type: ignore[empty-body]
        """Return the clients that a message to `topic` reaches because of a pattern."""

    def subscriptions(self, connection: Hashable) -> list[str]:  # type: ignore[empty-body]
        """Return the names and patterns that a client has subscribed to."""

    def topic_id(self, topic: str) -> int:  # type: ignore[empty-body]
        """The number of a topic within this Fanout; one that has none is given one."""

    def known(self, topic: str) -> bool:  # type: ignore[empty-body]
        """Whether a topic has been published or subscribed to."""

    def topics(self) -> list[str]:  # type: ignore[empty-body]
        """Return the topics that have been published or subscribed to."""

    def offset(self, topic: str) -> int:  # type: ignore[empty-body]
        """Return the offset of the last message of `topic`, 0 if there was none."""

    @property
    def epoch(self) -> str:  # type: ignore[empty-body]
        """Names this Fanout: offsets of another epoch mean nothing here."""

    def stats(self) -> FanoutStats:  # type: ignore[empty-body]
        """Return counts since the start, and the current state."""

    def __len__(self) -> int:  # type: ignore[empty-body]
        """How many clients there are."""

    def __contains__(self, connection: Hashable) -> bool:  # type: ignore[empty-body]
        """Whether there is such a client."""
