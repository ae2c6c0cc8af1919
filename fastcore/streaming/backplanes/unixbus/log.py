"""The numbered messages that every node of a bus keeps, so that each can go on where the host left off."""

from __future__ import annotations

from collections import OrderedDict, deque
from itertools import islice
from typing import NamedTuple

from fastcore.streaming.backplanes.backplane import Key, Published

__all__ = ["Log", "Logged"]

ORIGINS = 1024  # nodes whose last message is remembered; a worker that starts is a new one


class Logged(NamedTuple):
    """A message with its number, and whose n-th it was."""

    offset: int
    origin: str
    n: int
    topic: str
    key: Key
    body: bytes

    @property
    def published(self) -> Published:
        """As a hub wants it."""
        return Published(self.topic, self.offset, self.key, self.body)


class Log:
    """The last messages in order, the newest of each key, and the count of numbered messages of each node."""

    def __init__(self, messages: int, size: int, keys: int) -> None:
        self.epoch = ""
        self.offset = 0  # of the last message
        self.floor = 0  # what came up to here is not kept
        self._limits = (messages, size, keys)
        self._entries: deque[Logged] = deque()
        self._size = 0
        self._newest: OrderedDict[tuple[str, Key], Logged] = OrderedDict()
        self._seen: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def append(self, entry: Logged) -> None:
        """Keep one more message."""
        messages, size, _ = self._limits
        self.offset = entry.offset
        self._entries.append(entry)
        self._size += len(entry.body)
        while len(self._entries) > messages or (self._size > size and len(self._entries) > 1):
            gone = self._entries.popleft()
            self._size -= len(gone.body)
            self.floor = gone.offset
        self.remember(entry)
        self.saw(entry.origin, entry.n)

    def remember(self, entry: Logged) -> None:
        """Keep a message as the newest of its key."""
        place = (entry.topic, entry.key)
        self._newest[place] = entry
        self._newest.move_to_end(place)
        if len(self._newest) > self._limits[2]:
            self._newest.popitem(last=False)

    def saw(self, origin: str, n: int) -> None:
        """Note that a node's messages up to its n-th are numbered."""
        self._seen[origin] = max(n, self._seen.get(origin, 0))
        self._seen.move_to_end(origin)
        if len(self._seen) > ORIGINS:
            self._seen.popitem(last=False)

    def seen(self, origin: str) -> int:
        """Return how many of a node's own messages are numbered."""
        return self._seen.get(origin, 0)

    def all_seen(self) -> dict[str, int]:
        """Return the same for every node."""
        return dict(self._seen)

    def since(self, epoch: str, offset: int) -> list[Logged] | None:
        """Return the messages after an offset; None if they are not all here."""
        if epoch != self.epoch or not self.floor <= offset <= self.offset:
            return None
        entries = self._entries
        skipped = len(entries) - sum(1 for _ in _after(entries, offset))
        return list(islice(entries, skipped, None))

    def older(self) -> list[Logged]:
        """Return the newest of each key that are not among the last messages, in order."""
        return [entry for entry in self._newest.values() if entry.offset <= self.floor]

    def begin(self, epoch: str, floor: int, *, forget: bool) -> None:
        """Begin another numbering above `floor`; the newest of each key stay unless told."""
        self.epoch = epoch
        self.offset = self.floor = floor
        self._entries.clear()
        self._size = 0
        if forget:
            self._newest.clear()


def _after(entries: deque[Logged], offset: int) -> list[Logged]:
    found = []
    for entry in reversed(entries):
        if entry.offset <= offset:
            break
        found.append(entry)
    return found
