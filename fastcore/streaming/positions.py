"""Positions of clients: those that reconnect after an outage send the same ones, which are parsed once for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastcore.framing import Unpacker
from fastcore.streaming.messages import MAX_DEPTH, POSITIONS, BadMessage, Positions, Since, since_of

__all__ = ["PositionsMemo", "Where"]

FEW = 32  # topics; so few are not worth keeping
KEPT = 4 << 20  # bytes of positions that are kept, as they came
PARTS = 32  # of one client, before they are made one
_HEAD = bytes([0x93, POSITIONS])  # an array of three that begins with its kind


class Where:
    """The positions of one client, in parts shared with other clients."""

    __slots__ = ("epoch", "parts")

    def __init__(self, epoch: str) -> None:
        self.epoch = epoch
        self.parts: tuple[Since, ...] = ()

    def add(self, part: Since) -> None:
        self.parts += (part,)
        if len(self.parts) > PARTS:
            self.parts = (_merged(self.parts),)


class PositionsMemo:
    """Reads positions; returns the same object for equal positions."""

    def __init__(self, known: Callable[[str], bool]) -> None:
        self._known = known
        self._read: dict[bytes, Since] = {}  # what came -> what it says of topics that are known
        self._whole: dict[Any, tuple[Since, Any]] = {}  # by the ids of its parts, which it keeps
        self._size = 0
        self._used = False

    def part(self, payload: bytes) -> Positions | None:
        """Read a message of the kind POSITIONS; None for any other kind."""
        if not payload.startswith(_HEAD):
            return None
        head = Unpacker(max_buffer_size=len(payload), max_depth=MAX_DEPTH, max_memory=16 * len(payload) + 4096)
        head.feed(payload)
        try:
            head.read_array_header()
            head.skip()
            ref = head.unpack()
            rest = payload[head.tell() :]
            if type(ref) is not int or not 0 <= ref <= 2**53:
                return None
            since = self._read.get(rest)
            if since is None:
                value = head.unpack()
                if head.tell() != len(payload):  # more than one message
                    return None
                since = since_of(value, ref)
                if since is None:
                    return None
                since = self.of_known(since)
                self._grow(len(rest))
                self._read[rest] = since
        except BadMessage:
            raise
        except Exception:  # it is told where all messages are read
            return None
        self._used = True
        return Positions(ref, since)

    def of_known(self, since: Since) -> Since:
        """Return the positions of existing topics only: a client cannot fill the memory with others."""
        known = self._known
        return since[0], {topic: offset for topic, offset in since[1].items() if known(topic)}

    def whole(self, where: Where | None, since: Since) -> Since:
        """Return all positions that a client has sent; `since` has the last ones."""
        parts = where.parts if where is not None and where.epoch == since[0] else ()
        if not since[1] and len(parts) == 1:
            return parts[0]
        if not parts and len(since[1]) <= FEW:
            return since
        key = (since[0], *map(id, parts), frozenset(since[1].items()))
        found = self._whole.get(key)
        if found is None:
            merged = _merged((*parts, since)) if parts else since
            self._grow(16 * len(merged[1]))
            found = self._whole[key] = merged, parts
        self._used = True
        return found[0]

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > KEPT:
            self.forget()
            self._size = size

    def forget(self) -> None:
        """Drop everything remembered."""
        self._read.clear()
        self._whole.clear()
        self._size = 0

    def beat(self) -> None:
        """Drop what was not used since the last beat."""
        if self._size and not self._used:
            self.forget()
        self._used = False


def _merged(parts: tuple[Since, ...]) -> Since:
    offsets: dict[str, int] = {}
    for _, some in parts:
        offsets.update(some)
    return parts[0][0], offsets
