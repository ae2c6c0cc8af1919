"""Topics, the patterns that match them, and the history kept of each."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice, takewhile
from typing import Any, NamedTuple

__all__ = ["Answer", "Audience", "Rule", "Topic", "check_pattern", "check_topic", "is_pattern", "matches"]

POLICIES = ("all", "conflate", "drop")
NOTED, NOTED_BYTES = 20_000, 16 << 20  # messages that an audience keeps for answers that are older


class Rule(NamedTuple):
    """The rules of a topic: policy for slow clients, length of history, and messages at subscription."""

    policy: str
    history: int
    last: int


class Answer:
    """What those who follow a pattern from the same positions on are told, and given: made once for all of them."""

    __slots__ = ("at", "complete", "missed", "positions", "told", "used")

    def __init__(self, told: tuple[Any, ...], missed: list[Any], positions: Any, *, complete: bool, at: int) -> None:
        self.told = told
        self.missed = missed
        self.positions = positions
        self.complete = complete  # with the messages that came since, it is as if it were made now
        self.at = at  # how many the audience had noted when it was made
        self.used = True


class Audience:
    """Those who follow one pattern with the same rights, and the topics it means to them."""

    __slots__ = ("_listed", "allow", "answers", "changes", "followers", "noted", "noted_bytes", "pattern", "topics")

    def __init__(self, pattern: str, allow: Callable[[str], bool] | None) -> None:
        self.pattern = pattern
        self.allow = allow
        self.followers: dict[Any, None] = {}
        self.topics: dict[str, Topic] = {}
        self.changes = 0
        self.answers: dict[Any, Answer] = {}
        self.noted: list[Any] = []  # messages since the oldest answer
        self.noted_bytes = 0
        self._listed: list[Any] | None = None

    def allows(self, topic: str) -> bool:
        """Whether a topic that the pattern means is for those who follow it."""
        return self.allow is None or self.allow(topic)

    def note(self, message: Any) -> None:
        """Take down a message for those who get an answer that is older."""
        self.noted.append(message)
        self.noted_bytes += message.size
        if len(self.noted) > NOTED or self.noted_bytes > NOTED_BYTES:
            self.forget()

    def forget(self) -> None:
        """Make answers again from now on."""
        if self.answers:
            self.answers = {}
            self.noted = []
            self.noted_bytes = 0

    def add(self, client: Any) -> None:
        """Add a follower."""
        self.followers[client] = None
        self._changed()

    def remove(self, client: Any) -> None:
        """Remove a follower."""
        del self.followers[client]
        self._changed()

    def listed(self) -> list[Any]:
        """The followers as a list, which is never changed once it is made."""
        if self._listed is None:
            self._listed = list(self.followers)
        return self._listed

    def _changed(self) -> None:
        self.changes += 1
        self._listed = None


class Topic:
    """One topic: its members, its newest messages and the rules it follows."""

    __slots__ = (
        "_listed",
        "_stamp",
        "audiences",
        "floor",
        "history",
        "history_limit",
        "id",
        "last",
        "members",
        "name",
        "newest",
        "offset",
        "policy",
    )

    def __init__(self, name: str, number: int, rule: Rule, floor: int = 0) -> None:
        self.name = name
        self.id = number
        self.offset = 0  # of the last message
        self.floor = floor  # what came up to here is not in the history
        self.members: dict[Any, None] = {}  # those who subscribe to it by its name
        self.audiences: list[Audience] = []  # those who do by a pattern
        self.newest: dict[Any, Any] = {}  # key -> message, the one that was published last at the end
        self._stamp = 0  # of the list: how often its audiences had changed
        self._listed: list[Any] | None = None
        self.follow(rule)

    def follow(self, rule: Rule) -> None:
        """Take over rules; what goes beyond them is forgotten."""
        self.policy, history, self.last = rule
        self.history_limit = history
        kept = list(getattr(self, "history", ()))
        if len(kept) > history:
            self.floor = kept[len(kept) - history - 1].offset
        self.history: deque[Any] = deque(kept, maxlen=history)
        if not history:
            self.newest.clear()

    def listed(self) -> list[Any]:
        """All it reaches, each once, as a list, which is never changed once it is made."""
        if not self.members and len(self.audiences) == 1:
            return self.audiences[0].listed()
        stamp = 0
        for audience in self.audiences:
            stamp += audience.changes
        if self._listed is None or stamp != self._stamp:
            everyone = dict(self.members)
            for audience in self.audiences:
                everyone.update(audience.followers)
            self._listed, self._stamp = list(everyone), stamp
        return self._listed

    def add(self, client: Any) -> None:
        """Add a member."""
        self.members[client] = None
        self._listed = None

    def remove(self, client: Any) -> None:
        """Remove a member."""
        del self.members[client]
        self._listed = None

    def join(self, audience: Audience) -> None:
        """Add the followers of a pattern."""
        self.audiences.append(audience)
        audience.topics[self.name] = self
        audience.forget()
        self._listed = None

    def part(self, audience: Audience) -> None:
        """Remove the followers of a pattern."""
        self.audiences.remove(audience)
        audience.topics.pop(self.name, None)
        audience.forget()
        self._listed = None

    def keep(self, message: Any, max_keys: int) -> None:
        """Remember a message, as long as the rules say."""
        if not self.history_limit:
            self.floor = message.offset
        else:
            if len(self.history) == self.history_limit:
                self.floor = self.history[0].offset
            self.history.append(message)
            self.newest.pop(message.key, None)
            self.newest[message.key] = message
            if len(self.newest) > max_keys:
                del self.newest[next(iter(self.newest))]

    def since(self, offset: int, *, ahead: bool = False) -> Iterable[Any] | None:
        """The messages after `offset`; None if they are not all there, or there never was such an offset.

        With `ahead` an offset that has not come here yet may be there elsewhere.
        """
        if offset < self.floor or (offset > self.offset and not ahead):
            return None
        missed = list(takewhile(lambda message: message.offset > offset, reversed(self.history)))
        missed.reverse()
        return missed

    def ending(self, count: int) -> list[Any]:
        """The last messages, at most `count` of them."""
        found = list(islice(reversed(self.history), count))
        found.reverse()
        return found

    def renew(self, floor: int) -> None:
        """Begin another numbering, above `floor`; the newest messages stay if their numbers cannot come again."""
        self.history.clear()
        if self.offset > floor:
            self.newest.clear()
            self.offset = 0
        self.floor = floor


def is_pattern(name: str) -> bool:
    return "*" in name or ">" in name


def matches(pattern: str, topic: str) -> bool:
    """Whether `topic` matches `pattern`: ``*`` stands for one word, ``>`` at the end for one or more."""
    wanted, words = pattern.split("."), topic.split(".")
    if wanted[-1] == ">":
        wanted.pop()
        if len(words) <= len(wanted):
            return False
        words = words[: len(wanted)]
    return len(wanted) == len(words) and all(w in ("*", word) for w, word in zip(wanted, words))


def check_topic(name: Any, max_length: int) -> str:
    """A name to publish to."""
    check_name(name, max_length)
    if is_pattern(name):
        raise ValueError(f"topic: expected a name without * and >, got {name!r}")
    return str(name)


def check_pattern(name: Any, max_length: int) -> str:
    """A name or a pattern to subscribe to."""
    words = check_name(name, max_length).split(".")
    for i, word in enumerate(words):
        if is_pattern(word) and word != "*" and not (word == ">" and i == len(words) - 1):
            raise ValueError(f"topic: expected * as a whole word, and > as the last, got {name!r}")
    return str(name)


def check_name(name: Any, max_length: int) -> str:
    if type(name) is not str:
        raise TypeError(f"topic: expected a str, got {type(name).__name__}")
    if not 0 < len(name) <= max_length:
        raise ValueError(f"topic: expected 1 to {max_length} characters, got {len(name)}")
    if not name.isascii():
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"topic: expected text without lone surrogates, got one at character {error.start}"
            ) from None
    if "" in name.split("."):
        raise ValueError(f"topic: expected words with a dot between each two, got {name!r}")
    return name
