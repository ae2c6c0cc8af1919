"""The rules of Fanout: connections, subscriptions and history. The twins deliver messages to outboxes."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from collections.abc import Callable, Hashable, Iterable
from typing import Any, NamedTuple

from python_fallback.shared.framing.checks import NO_LIMIT, as_bytes, check_callable, check_int
from python_fallback.shared.framing.subscriptions import Subscription, Subscriptions
from python_fallback.shared.framing.topics import (
    POLICIES,
    Rule,
    Topic,
    check_pattern,
    check_topic,
    matches,
)

__all__ = ["SLOW", "Closing", "FanoutRules", "FanoutStats", "Sent", "Subscription"]

DATA = 1  # the kind of a message that brings an object, the first item of its array
JOIN = 1 << 16  # up to so many bytes, copying frames together is cheaper than handing the kernel a list
SLOW = 3008  # close code: too much was waiting for a client that does not read


class Closing(NamedTuple):
    """A connection to be closed, with its code and reason.

    Examples
    --------
    >>> from fastcore.framing import Fanout
    >>> fan = Fanout(limit=100)
    >>> fan.connect("client 1"); fan.blocked("client 1")       # its connection takes nothing
    >>> fan.subscribe("client 1", "news")[0].topic
    'news'
    >>> fan.publish("news", "x" * 200)
    1
    >>> frames = fan.tick()
    >>> [(closing.connection, closing.code) for closing in fan.take_closing()]
    [('client 1', 3008)]
    """

    connection: Any
    code: int
    reason: str


class Sent(NamedTuple):
    """How many connections there was something for, and what of it is still to be written, by connection."""

    connections: int
    rest: dict[Any, tuple[bytes | memoryview, ...]]


class FanoutStats(NamedTuple):
    """Counts since the start, and the current state.

    Examples
    --------
    >>> from fastcore.framing import Fanout
    >>> fan = Fanout()
    >>> fan.connect("client 1")
    >>> found = fan.subscribe("client 1", "news")
    >>> stats = fan.stats()
    >>> stats.connections, stats.subscriptions
    (1, 1)
    """

    connections: int
    topics: int
    subscriptions: int
    published: int
    delivered: int
    conflated: int
    dropped: int
    closed: int
    bytes_out: int
    backlog_bytes: int
    blocked: int


class FanoutRules(Subscriptions):
    """Connections, backlogs of the slow, histories. A twin adds outboxes and `tick`."""

    def __init__(
        self,
        *,
        policy: Any = "all",
        limit: Any = 1 << 20,
        total_limit: Any = 64 << 20,
        history: Any = 0,
        last: Any = 0,
        max_connections: Any = NO_LIMIT,
        max_subscriptions: Any = 128,
        max_topic_length: Any = 255,
        max_keys: Any = 10_000,
        level: Any = 6,
        wbits: Any = 12,
        threshold: Any = 256,
        epoch: Any = None,
        envelope: Any = None,
    ) -> None:
        super().__init__()
        self._rule = Rule(
            check_policy(policy),
            check_int("history", history, 0, 10**6),
            check_int("last", last, 0, 10**6),
        )
        self._limit = check_int("limit", limit, 1, NO_LIMIT)
        self._total_limit = check_int("total_limit", total_limit, 1, NO_LIMIT)
        self._max_connections = check_int("max_connections", max_connections, 1, NO_LIMIT)
        self._max_subscriptions = check_int("max_subscriptions", max_subscriptions, 1, NO_LIMIT)
        self._max_topic_length = check_int("max_topic_length", max_topic_length, 1, 65535)
        self._max_keys = check_int("max_keys", max_keys, 1, NO_LIMIT)
        self._deflate = (
            check_int("level", level, 0, 9),
            check_int("wbits", wbits, 9, 15),
            check_int("threshold", threshold, 0, NO_LIMIT),
        )
        if epoch is not None and type(epoch) is not str:
            raise TypeError(f"epoch: expected a str or None, got {type(epoch).__name__}")
        self._epoch = secrets.token_hex(8) if epoch is None else epoch
        self._envelope: Callable[..., Any] | None = check_callable("envelope", envelope)
        self._connections: dict[Hashable, Any] = {}
        self._topics: dict[str, Topic] = {}
        self._next_id = 1
        self._floor = 0  # of topics to come
        self._shared = False  # numbered elsewhere, for other nodes too
        self._rules: dict[str, Rule] = {}
        self._closing: list[Closing] = []
        self._backlog_bytes = 0
        self._published = self._conflated = self._dropped = self._closed = 0

    # -- connections ----------------------------------------------------------------------------------------------

    def connect(self, connection: Hashable, *, deflate: Any = None, fd: Any = None) -> None:
        window = 0 if deflate is None else min(check_int("deflate", deflate, 8, 15), self._deflate[1])
        if connection in self._connections:
            raise ValueError("connection: expected a new one, got one that is connected")
        if len(self._connections) >= self._max_connections:
            raise ValueError(f"connection: expected at most {self._max_connections} of them, got one more")
        descriptor = -1 if fd is None else check_fd(fd)
        self._connections[connection] = self._made(connection, 0 if window == 8 else window, descriptor)

    def disconnect(self, connection: Hashable) -> None:
        """Remove a connection; no error if it is not connected."""
        client = self._connections.pop(connection, None)
        if client is not None:
            self._forget(client)

    def __len__(self) -> int:
        return len(self._connections)

    def __contains__(self, connection: Hashable) -> bool:
        return connection in self._connections

    def _forget(self, client: Any) -> None:
        client.gone = True
        for name in list(client.names):
            self._leave(client, name)
        self._backlog_bytes -= client.backlog_bytes
        client.backlog_bytes = 0
        client.backlog.clear()
        self._drop_outbox(client)

    def _close(self, client: Any, code: int, reason: str) -> None:
        self._connections.pop(client.handle, None)
        self._forget(client)
        self._closing.append(Closing(client.handle, code, reason))
        self._closed += 1

    def take_closing(self) -> list[Closing]:
        """The connections to be closed since the last call; they are disconnected already."""
        taken, self._closing = self._closing, []
        return taken

    # -- topics ---------------------------------------------------------------------------------------------------

    def configure(self, pattern: str, *, policy: Any = None, history: Any = None, last: Any = None) -> None:
        """Set the rules of the topics that match `pattern`, also later ones."""
        name = check_pattern(pattern, self._max_topic_length)
        rule = Rule(
            self._rule.policy if policy is None else check_policy(policy),
            self._rule.history if history is None else check_int("history", history, 0, 10**6),
            self._rule.last if last is None else check_int("last", last, 0, 10**6),
        )
        self._rules.pop(name, None)
        self._rules[name] = rule
        self._forget_answers(all_of_them=True)
        for topic in self._topics.values():
            topic.follow(self._rule_of(topic.name))

    def _rule_of(self, name: str) -> Rule:
        for pattern in reversed(self._rules):  # the last rule takes precedence
            if matches(pattern, name):
                return self._rules[pattern]
        return self._rule

    def _topic(self, name: str) -> Topic:
        topic = self._topics.get(name)
        if topic is None:
            topic = self._topics[name] = Topic(name, self._next_id, self._rule_of(name), self._floor)
            self._tree.put(name, topic)
            self._next_id += 1
            for alike in self._audiences.meaning(name):
                for audience in list(alike.values()):
                    if audience.allows(name):
                        topic.join(audience)
        return topic

    def topics(self) -> list[str]:
        return sorted(self._topics)

    def subscribers(self, topic: str) -> int:
        """How many connections a message to `topic` would reach."""
        return sum(1 for _ in self._reached(topic))

    def reached(self, topic: str) -> list[Hashable]:
        """The connections that a message to `topic` would reach."""
        return [client.handle for client in self._reached(topic)]

    def _reached(self, topic: str) -> Iterable[Any]:
        found = self._topics.get(topic)
        if found is not None:
            return found.listed()
        audiences = [one for alike in self._audiences.meaning(topic) for one in alike.values() if one.allows(topic)]
        return {client: None for audience in audiences for client in audience.followers}

    def followers(self, topic: str) -> list[Hashable]:
        """The connections that a message to `topic` reaches because of a pattern."""
        found = self._topics.get(topic)
        clients = {client: None for audience in found.audiences for client in audience.followers} if found else {}
        return [client.handle for client in clients]

    def subscriptions(self, connection: Hashable) -> list[str]:
        """The names and patterns a connection has subscribed to."""
        return list(self._client(connection).names)

    def topic_id(self, topic: str) -> int:
        """The number of a topic; one that has none is given one."""
        return self._topic(check_topic(topic, self._max_topic_length)).id

    def known(self, topic: str) -> bool:
        """Whether a topic has been published or subscribed to."""
        return topic in self._topics

    def offset(self, topic: str) -> int:
        """The offset of the last message, 0 if there was none."""
        found = self._topics.get(topic)
        return 0 if found is None else found.offset

    @property
    def epoch(self) -> str:
        """Identifies this Fanout: offsets of another epoch are invalid here."""
        return self._epoch

    def renew(self, epoch: str, floor: int = 0) -> None:
        """Begin another numbering, one that is made elsewhere: messages above `floor` will come with their offsets."""
        if type(epoch) is not str:
            raise TypeError(f"epoch: expected a str, got {type(epoch).__name__}")
        self._floor = check_int("floor", floor, 0, NO_LIMIT)
        self._epoch = epoch
        self._shared = True
        self._forget_answers(all_of_them=True)
        for topic in self._topics.values():
            topic.renew(self._floor)

    # -- publishing -----------------------------------------------------------------------------------------------

    def publish(self, topic: str, obj: Any = None, key: Any = None, *, payload: Any = None, offset: Any = None) -> int:
        name = check_topic(topic, self._max_topic_length)
        if key is not None and type(key) not in (str, bytes, int):
            raise TypeError(f"key: expected a str, bytes, int or None, got {type(key).__name__}")
        found = self._topic(name)
        before = found.offset
        number = next_offset(found, offset)
        data = self._payload(found, number, obj) if payload is None else as_bytes("payload", payload)
        found = self._topic(name)  # what packs may have run code that has put another in its place
        if found.offset != before:
            raise RuntimeError("publish: expected no publish to the same topic from within, got one")
        self._give_out(found, number, self._message(found, number, key, data))
        return number

    def publish_packed(self, topic: str, body: Any, key: Any = None, *, offset: Any = None) -> int:
        """Publish an object that is packed already: [1, topic number, offset, object], and the key if there is one.

        Topic and key were checked by the caller.
        """
        found = self._topic(topic)
        number = next_offset(found, offset)
        self._give_out(found, number, self._data(found, number, key, as_bytes("body", body)))
        return number

    def _give_out(self, found: Topic, number: int, message: Any) -> None:
        found.offset = number
        found.keep(message, self._max_keys)
        for audience in found.audiences:
            if audience.answers:
                audience.note(message)
        self._published += 1
        self._spread(found.listed(), message)

    def _payload(self, topic: Topic, offset: int, obj: Any) -> bytes:
        if self._envelope is not None:
            obj = self._envelope(topic.name, topic.id, offset, obj)
        else:
            obj = [topic.name, offset, obj]
        return self._pack(obj)

    # -- slow clients ---------------------------------------------------------------------------------------------

    def blocked(self, connection: Hashable) -> None:
        """Mark a client as blocked: messages are queued by the topics' policies."""
        client = self._client(connection)
        if not client.blocked:
            client.blocked = True
            for message in self._drop_outbox(client):
                self._hold(client, message)

    def writable(self, connection: Hashable) -> None:
        """Mark a client as ready again; queued messages come with the next tick."""
        client = self._client(connection)
        if client.blocked:
            client.blocked = False
            waiting = list(client.backlog.values())
            self._backlog_bytes -= client.backlog_bytes
            client.backlog_bytes = 0
            client.backlog.clear()
            for message in waiting:
                self._enqueue(client, message)

    def backlog(self, connection: Hashable) -> int:
        """How many bytes are held back for a client."""
        size: int = self._client(connection).backlog_bytes
        return size

    def _hold(self, client: Any, message: Any) -> None:
        policy = message.topic.policy
        if policy == "drop":
            self._dropped += 1
            return
        if client.gone:  # closed by what it held back a moment ago
            return
        place: Any = message if policy == "all" else (message.topic.id, message.key)
        older = client.backlog.pop(place, None)
        grown = message.size
        if older is not None:
            self._conflated += 1
            grown -= older.size
        client.backlog[place] = message
        client.backlog_bytes += grown
        self._backlog_bytes += grown
        self._check_backlog(client)

    def _check_backlog(self, client: Any) -> None:
        """Close clients beyond a limit, now that more is queued for `client`."""
        if client.backlog_bytes > self._limit:
            self._close(client, SLOW, f"slow: more than {self._limit} bytes were waiting")
        elif self._backlog_bytes > self._total_limit:
            slowest = max(self._connections.values(), key=lambda other: other.backlog_bytes)
            self._close(slowest, SLOW, f"slow: more than {self._total_limit} bytes were waiting for all clients")

    def stats(self) -> FanoutStats:
        clients = list(self._connections.values())
        delivered, bytes_out = self._sent()
        return FanoutStats(
            connections=len(clients),
            topics=len(self._topics),
            subscriptions=sum(len(client.names) for client in clients),
            published=self._published,
            delivered=delivered,
            conflated=self._conflated,
            dropped=self._dropped,
            closed=self._closed,
            bytes_out=bytes_out,
            backlog_bytes=self._backlog_bytes,
            blocked=sum(1 for client in clients if client.blocked),
        )

    # -- the twins' part ------------------------------------------------------------------------------------------

    def _made(self, handle: Hashable, window: int, fd: int) -> Any:
        """A new client, with an empty outbox; `window` is 0 for one that does not inflate, `fd` -1 for one without."""
        raise NotImplementedError

    def _message(self, topic: Topic, offset: int, key: Any, payload: bytes) -> Any:
        raise NotImplementedError

    def _data(self, topic: Topic, offset: int, key: Any, body: bytes) -> Any:
        """The message around an object that is packed already."""
        raise NotImplementedError

    def _pack(self, obj: Any) -> bytes:
        raise NotImplementedError

    def _spread(self, clients: list[Any], message: Any) -> None:
        """Give `message` to each of `clients`."""
        raise NotImplementedError

    def _enqueue(self, client: Any, message: Any) -> None:
        """Put `message` last into the outbox of a client that is not blocked."""
        raise NotImplementedError

    def _enqueue_all(self, client: Any, messages: Iterable[Any]) -> None:
        """The same for many."""
        for message in messages:
            self._enqueue(client, message)

    def _drop_outbox(self, client: Any) -> list[Any]:
        """Empty an outbox; what was in it."""
        raise NotImplementedError

    def _sent(self) -> tuple[int, int]:
        """Messages and bytes that ticks have given out."""
        raise NotImplementedError


def check_policy(policy: Any) -> str:
    if policy not in POLICIES:
        raise ValueError(f"policy: expected one of {', '.join(POLICIES)}, got {policy!r}")
    return str(policy)


def next_offset(topic: Topic, offset: Any) -> int:
    """The offset of a topic's next message, where it is not given: else that, if it is above all before it."""
    last = max(topic.offset, topic.floor)
    number = last + 1 if offset is None else check_int("offset", offset, 1, NO_LIMIT)
    if number <= last:
        raise ValueError(f"offset: expected one above {last}, got {number}")
    return number


def check_fd(fd: Any) -> int:
    number = check_int("fd", fd, 0, 2**31 - 1)
    try:
        # On Windows a socket is no file, and has no descriptor.
        if sys.platform != "win32" and stat.S_ISSOCK(os.fstat(number).st_mode) and not os.get_blocking(number):
            return number
        found = "another file"
    except OSError as error:
        found = str(error)
    raise ValueError(f"fd: expected the descriptor of a socket that does not block, got {number}: {found}")


# Where they are public: pickles name that place and outlive this one.
for _public in (Closing, FanoutStats):
    _public.__module__ = "fastcore.framing"
