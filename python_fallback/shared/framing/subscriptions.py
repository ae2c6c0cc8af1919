"""Subscriptions of connections to topics and patterns, their answers and first messages."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, NamedTuple

from python_fallback.shared.framing.checks import NO_LIMIT, check_callable, check_int
from python_fallback.shared.framing.topics import Answer, Audience, Topic, check_pattern, is_pattern
from python_fallback.shared.framing.words import WordTree

__all__ = ["Allow", "Subscription", "Subscriptions"]

Allow = Callable[[str], bool]

FEW = 32  # topics; an answer about so many is not worth keeping
KEPT = 200_000  # entries of all answers that are kept
NOWHERE: Mapping[str, int] = {}


class Subscription(NamedTuple):
    """The answer about a topic that a client subscribes to.

    `recovered` says that it missed nothing since the offset it asked for; if those are not kept, it has been
    sent the newest message of each key instead.

    Examples
    --------
    >>> from fastcore.framing import Fanout
    >>> fan = Fanout()
    >>> fan.connect("client 1")
    >>> found = fan.subscribe("client 1", "news")[0]
    >>> found.topic, found.offset, found.epoch == fan.epoch
    ('news', 0, True)
    """

    topic: str
    id: int
    epoch: str
    offset: int
    recovered: bool


class _Start(NamedTuple):
    """Where a subscription begins."""

    epoch: str | None
    positions: Mapping[str, int]
    newest: bool
    last: int | None

    def key(self) -> tuple[Any, ...]:
        """Of the answer to it; the answer keeps the positions, so that no others get their id."""
        return self.epoch, id(self.positions), self.newest, self.last


class Subscriptions:
    """The subscriptions; the FanoutRules has the connections, the topics and their messages."""

    _connections: dict[Hashable, Any]
    _topics: dict[str, Topic]
    _max_subscriptions: int
    _max_topic_length: int
    _epoch: str
    _shared: bool

    def __init__(self) -> None:
        self._tree: WordTree[Topic] = WordTree()  # the topics by their words
        self._audiences: WordTree[dict[Allow | None, Audience]] = WordTree()  # by pattern and rights
        self._answered: dict[Audience, None] = {}  # those that keep answers
        self._kept = 0  # entries of those

    def _client(self, connection: Hashable) -> Any:
        client = self._connections.get(connection)
        if client is None:
            raise LookupError("connection: expected one that is connected, got another")
        return client

    def subscribe(
        self,
        connection: Hashable,
        topics: str | Iterable[str],
        *,
        since: tuple[str, Mapping[str, int]] | None = None,
        newest: Any = False,
        last: Any = None,
        allow: Allow | None = None,
    ) -> list[Subscription]:
        client = self._client(connection)
        names = [
            check_pattern(name, self._max_topic_length) for name in ([topics] if isinstance(topics, str) else topics)
        ]
        start = _Start(*check_since(since), bool(newest), check_last(last))
        if allow is not None:
            check_callable("allow", allow)
        wanted = len(client.names) + len({name for name in names if name not in client.names})
        if wanted > self._max_subscriptions:
            raise ValueError(f"topics: expected at most {self._max_subscriptions} subscriptions, got {wanted}")
        told: list[Subscription] = []
        for name in names:
            if is_pattern(name):
                told += self._follow(client, name, start, allow)
            else:
                topic = self._topic(name)
                topic.add(client)
                client.names[name] = None
                one, missed = self._begin(topic, start, start.positions.get(name))
                self._give_all(client, missed)
                told.append(one)
        return told

    def follow(
        self,
        connection: Hashable,
        pattern: str,
        *,
        since: tuple[str, Mapping[str, int]] | None = None,
        newest: Any = False,
        last: Any = None,
        allow: Allow | None = None,
    ) -> tuple[Subscription, ...]:
        """Subscribe to one pattern; those who ask for the same, with the same object of positions, share the answer."""
        client = self._client(connection)
        name = check_pattern(pattern, self._max_topic_length)
        if not is_pattern(name):
            raise ValueError(f"pattern: expected one with * or >, got {name!r}")
        if name not in client.names and len(client.names) >= self._max_subscriptions:
            raise ValueError(f"topics: expected at most {self._max_subscriptions} subscriptions, got one more")
        if allow is not None:
            check_callable("allow", allow)
        start = _Start(*check_pair(since), bool(newest), check_last(last))
        alike = self._audiences.get(name)
        audience = None if alike is None else alike.get(allow)
        if audience is None or start.key() not in audience.answers:  # else they were checked for that answer
            check_offsets(start.positions)
        return self._follow(client, name, start, allow)

    def unsubscribe(self, connection: Hashable, topics: str | Iterable[str]) -> None:
        client = self._client(connection)
        for name in [topics] if isinstance(topics, str) else list(topics):
            if name in client.names:
                self._leave(client, name)

    def _follow(self, client: Any, name: str, start: _Start, allow: Allow | None) -> tuple[Subscription, ...]:
        """Subscribe to a pattern."""
        audience = client.names.get(name)
        if audience is None or audience.allow != allow:
            if audience is not None:
                self._leave(client, name)
            audience = self._audience(name, allow)
            audience.add(client)
            client.names[name] = audience
        answer = self._answer(audience, start)
        self._give_all(client, answer.missed)
        if answer.at < len(audience.noted):
            self._give_all(client, audience.noted[answer.at :])
        return answer.told

    def _audience(self, pattern: str, allow: Allow | None) -> Audience:
        """Those who follow a pattern with the same rights; which topics are there is looked up once for all of them."""
        alike = self._audiences.get(pattern)
        if alike is None:
            alike = {}
            self._audiences.put(pattern, alike)
        audience = alike.get(allow)
        if audience is None:
            audience = Audience(pattern, allow)
            for topic in self._tree.meant(pattern):
                if audience.allows(topic.name) and self._topics.get(topic.name) is topic:  # `allow` may have run code
                    topic.join(audience)
            alike[allow] = audience
            self._audiences.put(pattern, alike)
        return audience

    def _leave(self, client: Any, name: str) -> None:
        audience = client.names.pop(name)
        if audience is None:
            topic = self._topics[name]
            topic.remove(client)
            if not topic.members and topic.offset == 0:  # never published to, and without subscribers
                del self._topics[name]
                self._tree.remove(name)
                for other in list(topic.audiences):
                    topic.part(other)
            return
        audience.remove(client)
        if not audience.followers:
            alike = self._audiences.get(audience.pattern)
            assert alike is not None
            del alike[audience.allow]
            if not alike:
                self._audiences.remove(audience.pattern)
            for topic in list(audience.topics.values()):
                topic.part(audience)

    # -- answers --------------------------------------------------------------------------------------------------

    def _answer(self, audience: Audience, start: _Start) -> Answer:
        """What those are told and given who begin to follow a pattern; the same as before, if it still holds."""
        alike = start.key()
        found = audience.answers.get(alike)
        if found is not None and (found.complete or found.at == len(audience.noted)):
            found.used = True
            return found
        resumes = start.epoch is not None
        told = list[Subscription]()
        missed = list[Any]()
        for topic in audience.topics.values():
            one, some = self._begin(topic, start, start.positions.get(topic.name, 0) if resumes else None)
            told.append(one)
            missed += some
        complete = resumes and all(one.recovered for one in told)
        answer = Answer(tuple(told), missed, start.positions, complete=complete, at=len(audience.noted))
        if len(told) > FEW:
            if self._kept + len(told) > KEPT:
                self._forget_answers(all_of_them=True)
                answer.at = 0
            self._kept += len(told)
            self._answered[audience] = None
            audience.answers[alike] = answer
        return answer

    def forget_answers(self) -> None:
        """Forget the answers that were not given again since this was called last."""
        self._forget_answers(all_of_them=False)

    def _forget_answers(self, *, all_of_them: bool) -> None:
        for audience in self._answered:
            if all_of_them or not any(answer.used for answer in audience.answers.values()):
                audience.forget()
            for answer in audience.answers.values():
                answer.used = False
        self._answered = {audience: None for audience in self._answered if audience.answers}
        self._kept = sum(len(one.told) for audience in self._answered for one in audience.answers.values())

    def _begin(self, topic: Topic, start: _Start, asked: int | None) -> tuple[Subscription, Iterable[Any]]:
        """What a client is told of a topic, and what it is given of it: what it missed, the last, or the newest."""
        offset = max(topic.offset, topic.floor)
        missed: Iterable[Any] | None = ()
        if asked is not None:
            current = start.epoch == self._epoch
            if not (asked == topic.offset and current and asked >= topic.floor):  # else it has missed nothing
                missed = topic.since(asked, ahead=self._shared) if current else None
            if missed is not None:
                return Subscription(topic.name, topic.id, self._epoch, offset, True), missed
        elif start.last or (start.last is None and topic.last and not start.newest):
            ending = topic.ending(start.last or topic.last)
            offset = ending[0].offset - 1 if ending else offset
            return Subscription(topic.name, topic.id, self._epoch, offset, False), ending
        if asked is not None or start.newest:
            missed = list(topic.newest.values())
        return Subscription(topic.name, topic.id, self._epoch, offset, False), missed or ()

    def _give_all(self, client: Any, messages: Iterable[Any]) -> None:
        if client.blocked:
            for message in messages:
                self._hold(client, message)
        else:
            self._enqueue_all(client, messages)

    def _topic(self, name: str) -> Topic:
        raise NotImplementedError

    def _hold(self, client: Any, message: Any) -> None:
        raise NotImplementedError

    def _enqueue_all(self, client: Any, messages: Iterable[Any]) -> None:
        raise NotImplementedError


def check_last(last: Any) -> int | None:
    return None if last is None else check_int("last", last, 0, 10**6)


def check_since(since: Any) -> tuple[str | None, Mapping[str, int]]:
    epoch, positions = check_pair(since)
    check_offsets(positions)
    return epoch, positions


def check_pair(since: Any) -> tuple[str | None, Mapping[str, int]]:
    if since is None:
        return None, NOWHERE
    if not isinstance(since, tuple) or len(since) != 2 or not isinstance(since[1], Mapping):
        raise TypeError("since: expected a pair of epoch and offsets by topic, or None, got something else")
    return since[0], since[1]


def check_offsets(positions: Mapping[str, int]) -> None:
    for topic, offset in positions.items():
        check_int(f"since: offset of {topic}", offset, 0, NO_LIMIT)


Subscription.__module__ = "fastcore.framing"  # where it is public: pickles name that place
