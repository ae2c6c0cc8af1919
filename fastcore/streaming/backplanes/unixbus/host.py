"""The node of a bus that numbers: it gathers what the others know, then hands out numbers."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from typing import Any, Protocol

from fastcore.streaming.backplanes.backplane import Key
from fastcore.streaming.backplanes.unixbus import wire
from fastcore.streaming.backplanes.unixbus.log import Log, Logged
from fastcore.streaming.backplanes.unixbus.rendezvous import Rendezvous, Roster
from fastcore.streaming.backplanes.unixbus.wire import Line, packed

__all__ = ["Host", "Node"]

_TRANSFER = (wire.NEWEST, wire.BASE, wire.ENTRY, wire.DONE)
BEAT_EVERY = 1.0  # seconds between two signs of life of the host


class Node(Protocol):
    """What a host or a member needs of the bus it is a part of."""

    id: str
    log: Log

    def take(self, entry: Logged) -> None:
        """Keep a numbered message and deliver it."""

    def renew(self, epoch: str, floor: int, newest: list[Logged] | None) -> None:
        """Begin another numbering; `newest` is None where what is here stays."""

    def settled(self, seen: int) -> None:
        """Handle that this node is up to date and its own messages up to the `seen`-th are numbered."""


class Host:
    """Numbers messages, for as long as it holds the lock.

    It begins with gathering: all nodes of the roster report where they are. If each of them does, the one that has come
    farthest passes on what the new host lacks, and the epoch stays; otherwise numbers go on above the highest one
    known, under a new epoch, for one that is missing may have seen some that no node here has.
    """

    def __init__(self, node: Node, place: Rendezvous, grace: float) -> None:
        self.nodes: dict[str, Line] = {}
        self._node = node
        self._place = place
        self._grace = grace
        self._next = 0
        self._batch: list[Logged] = []
        self._waiting: list[tuple[str, int, str, Key, bytes]] = []  # published while it gathers
        self._open = False
        self._reported = asyncio.Event()
        self._fetched = asyncio.Event()
        self._server: asyncio.AbstractServer | None = None
        self._lines: set[Line] = set()

    async def run(self) -> None:
        """Listen, gather, then host until cancelled."""
        self._server = await self._place.listen(self._line)
        try:
            await self._gather(self._place.read_roster())
            while True:
                await asyncio.sleep(BEAT_EVERY)
                for line in self.nodes.values():
                    line.send(packed(wire.BEAT))
        finally:
            self._server.close()
            self._flush()
            log = self._node.log
            if self._open:  # those who are here may go on under the same epoch
                self._place.write_roster(log.epoch, "", self.nodes)
            for line in list(self._lines):
                if self._open and line.transport is not None:
                    line.send(packed(wire.RETIRE))
                    line.flush()
                    line.transport.close()  # after what is unsent
                else:
                    line.close()

    def publish(self, origin: str, n: int, topic: str, key: Key, body: bytes) -> None:
        """Number a message; it leaves with the others of this turn of the loop."""
        if not self._open:
            self._waiting.append((origin, n, topic, key, body))
            return
        if n <= self._node.log.seen(origin):
            return  # the host before has numbered it
        self._node.log.saw(origin, n)
        if not self._batch:
            asyncio.get_running_loop().call_soon(self._flush)
        self._next += 1
        self._batch.append(Logged(self._next, origin, n, topic, key, body))

    def _flush(self) -> None:
        batch, self._batch = self._batch, []
        if not batch:
            return
        data = b"".join([packed(wire.ENTRY, *entry) for entry in batch])
        # The others first: whatever clients of this node see is then in the kernel for some other, should this one die.
        for line in list(self.nodes.values()):
            if line.ready:
                line.send(data)
                line.flush()
        for entry in batch:
            self._node.take(entry)

    # ---- gathering ----

    async def _gather(self, roster: Roster) -> None:
        node, log = self._node, self._node.log
        expected = set(roster.nodes) - {node.id, roster.host}
        known = bool(log.epoch) and log.epoch == roster.epoch
        complete = True
        if expected:
            try:
                async with asyncio.timeout(self._grace):
                    while not expected <= self.nodes.keys():
                        self._reported.clear()
                        await self._reported.wait()
            except TimeoutError:
                complete = False
        ahead = [line for line in self.nodes.values() if line.epoch == roster.epoch and roster.epoch]
        best = max(ahead, key=lambda line: line.offset, default=None)
        if best is not None and (not known or best.offset > log.offset):
            self._fetched.clear()
            best.send(packed(wire.WANT, log.epoch, log.offset))
            try:
                async with asyncio.timeout(self._grace * 2):
                    await self._fetched.wait()
            except TimeoutError:
                complete = False
            known = log.epoch == roster.epoch and log.offset >= best.offset
        if not (known and complete):
            highest = max([log.offset, *(line.offset for line in self.nodes.values())])
            node.renew(secrets.token_hex(8), highest, None)
        self._next = log.offset
        self._open = True
        self._write_roster()
        for line in list(self.nodes.values()):
            self._welcome(line)
        waiting, self._waiting = self._waiting, []
        for message in waiting:
            self.publish(*message)
        node.settled(log.seen(node.id))

    # ---- the others ----

    def _line(self) -> Line:
        line = Line(self._heard, self._lost)
        self._lines.add(line)
        asyncio.get_running_loop().call_later(5.0, lambda: None if line.node else line.close())
        return line

    def _heard(self, line: Line, message: list[Any]) -> None:
        kind = message[0]
        if kind == wire.HELLO:
            _, version, node, secret, epoch, offset = message[:6]
            if version != wire.VERSION or not hmac.compare_digest(str(secret), self._place.secret):
                raise ValueError(f"bus: expected version {wire.VERSION} and the secret, got version {version}")
            line.trusted = True
            line.node, line.epoch, line.offset = str(node), str(epoch), int(offset)
            self.nodes[line.node] = line
            self._reported.set()
            if self._open:
                self._welcome(line)
        elif not line.node:
            raise ValueError("bus: expected hello first, got something else")
        elif kind == wire.PUBLISH:
            _, n, topic, key, body = message[:5]
            self.publish(line.node, n, topic, key, body)
        elif kind in _TRANSFER and not self._open and receive(self._node, line, message):
            self._fetched.set()

    def _welcome(self, line: Line) -> None:
        self._flush()  # what is numbered by now is a part of the transfer
        self._write_roster()
        for frame in wire.transfer(self._node.log, line.epoch, line.offset):
            line.send(frame)
        line.flush()
        line.ready = True

    def _lost(self, line: Line) -> None:
        self._lines.discard(line)
        if self.nodes.get(line.node) is line:
            del self.nodes[line.node]
            if self._open and self._server is not None and self._server.is_serving():
                self._write_roster()

    def _write_roster(self) -> None:
        self._place.write_roster(self._node.log.epoch, self._node.id, [self._node.id, *self.nodes])


def receive(node: Node, line: Line, message: list[Any]) -> bool:
    """Take one message of a transfer; True after the last one."""
    kind = message[0]
    if kind == wire.NEWEST:
        line.collected.append(Logged(*message[1:7]))
    elif kind == wire.BASE:
        _, epoch, floor, seen = message[:4]
        if floor is not None:
            newest, line.collected = line.collected, []
            node.renew(str(epoch), int(floor), newest)
        for origin, n in seen.items():
            node.log.saw(origin, n)
    elif kind == wire.ENTRY:
        entry = Logged(*message[1:7])
        if entry.offset > node.log.offset:
            node.take(entry)
    return bool(kind == wire.DONE)
