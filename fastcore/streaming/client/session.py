"""The client's side of the wire protocol without a socket or a clock: sending, receiving, reconnecting."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from fastcore.framing import Unpacker, packb
from fastcore.streaming import messages as wire
from fastcore.streaming.client.events import (
    Connected,
    Disconnected,
    Gap,
    Message,
    Notice,
    Refusal,
    Skipped,
    Subscribed,
    SubscribeError,
    Unsubscribed,
)
from python_fallback.shared.framing.topics import is_pattern, matches

__all__ = ["Limits", "Session"]

WELCOME_WITHIN = 23.0  # seconds, until the server has told its own periods
NORMAL, PROTOCOL_ERROR, TOO_BIG = 1000, 1002, 1009
LEAST = 512  # bytes that any server takes in a message
SMALL = 4096  # bytes of a request that need not wait for the welcome


class Start(NamedTuple):
    """What a subscription begins with if it is not resumed."""

    newest: bool = False
    last: int = 0

    def options(self) -> dict[str, Any]:
        """Return the options in the form of the wire protocol."""
        return {"newest": self.newest, **({"last": self.last} if self.last else {})}


class Asked(NamedTuple):
    """A subscribe request without an answer yet."""

    names: list[str]
    positions: dict[str, int] | None  # that it was sent with


NOTHING = Asked([], None)


class Limits(NamedTuple):
    """Limits on what a server may send."""

    size: int = 16 << 20
    depth: int = 64
    memory: int = 256 << 20


class Backoff:
    """Full jitter: every wait is drawn between `low` and a bound that doubles up to `high`."""

    def __init__(self, low: float, high: float, rng: Callable[[], float]) -> None:
        self._low, self.high, self._rng = low, high, rng
        self.failures = 0

    def next(self) -> float:
        """Return how many seconds to wait before the next attempt."""
        self.failures = min(self.failures + 1, 32)
        return self._low + self._rng() * (min(self.high, self._low * 2.0**self.failures) - self._low)


class Session:
    """The state that outlives a connection: subscriptions, positions, the epoch.

    The caller transports the bytes: :meth:`opened` and the requests return bytes to send, :meth:`received` takes bytes
    and returns messages and notices, :meth:`closed` says when to reconnect. `now` is of a clock that only grows.
    """

    def __init__(
        self,
        topics: Iterable[str] = (),
        *,
        newest: bool = False,
        last: int = 0,
        limits: Limits | None = None,
        backoff: tuple[float, float] = (0.5, 20.0),
        rng: Callable[[], float],
    ) -> None:
        self.limits = limits or Limits()
        self.epoch = ""
        self.out: list[bytes] = []  # answers to be sent
        self.expires: float | None = None  # when the token does
        self.welcome = False
        self._size = wire.SIZE  # of a message that the server takes
        self._largest = 0  # of those sent on this connection
        self._later: list[bytes] = []  # requests that have to wait for the welcome
        self._starts: dict[str, Start] = dict.fromkeys(topics, Start(newest, last))  # by name or pattern
        self._answered: set[str] = set()  # names the server has accepted once
        self._positions: dict[str, int] = {}
        self._told: dict[str, int] = {}  # topics without a position whose newest messages are on their way
        self._settled: dict[str, int] = {}  # those that had none, or whose newest have come: where to resume
        self._names: dict[int, str] = {}  # of this connection
        self._ref = 0
        self._asked: dict[int, Asked] = {}  # by the ref of a subscribe
        self._backoff = Backoff(*backoff, rng)
        self._drain: float | None = None
        self._heard = 0.0
        self._patience = WELCOME_WITHIN
        self._opened = 0.0
        self.refused: dict[int, SubscribeError] = {}  # by ref, until the shell takes them
        self.done: set[int] = set()

    @property
    def topics(self) -> list[str]:
        """The names and patterns that are wanted."""
        return list(self._starts)

    @property
    def positions(self) -> dict[str, int]:
        """By topic: the offset of the last message that was handled."""
        return dict(self._positions)

    @property
    def deadline(self) -> float:
        """The time at which the link counts as dead unless a message arrives."""
        return self._heard + self._patience

    # ---- requests ----

    def after_welcome(self, request: bytes) -> None:
        """Send a request when the welcome comes; for what `opened` did not know of yet."""
        self._later.append(request)

    def opened(self, now: float, token: str | None = None) -> list[bytes]:
        """Begin a connection: return the messages to send."""
        self.welcome = False
        self._heard = self._opened = now
        self._patience = WELCOME_WITHIN
        self._names.clear()
        self._asked.clear()
        self.out.clear()
        self._drain = None
        options: dict[str, Any] = {} if token is None else {"token": token}
        self._told.clear()
        wanted: dict[tuple[bool, Start], list[str]] = {}
        for name, start in self._starts.items():
            back = name in self._answered
            wanted.setdefault((back, Start(True) if back else start), []).append(name)
        self._later = []
        self._largest = 0
        at_once = list[bytes]()
        first = True
        for (back, start), names in wanted.items():
            if first:
                first = False
                whole = {**options, "topics": names, **self._wish(0, names, start, back)}
                if self._fits(packb([wire.CONNECT, whole])):
                    options = whole
                    continue
                del self._asked[0]
            for part in _parts(names, self._size // 2):
                requests = self._request(part, start, back, partial=True)[1]
                if len(requests) == 1 and len(requests[0]) <= SMALL and not self._later:
                    at_once += requests
                else:
                    self._later += requests
        return [packb([wire.CONNECT, options]), *at_once]

    def subscribe(self, names: Iterable[str], newest: bool, last: int = 0) -> tuple[int, bytes]:
        """Add subscriptions; return the request's number and the message to send."""
        fresh, start = list(names), Start(newest, last)
        for name in fresh:
            self._starts[name] = start
        ref, [request] = self._request(fresh, start, back=False)
        return ref, request

    def _request(self, names: list[str], start: Start, back: bool, *, partial: bool = False) -> tuple[int, list[bytes]]:
        """A subscribe and, before it, the positions that do not fit into its message."""
        ref = self._next()
        wish = self._wish(ref, names, start, back)
        if partial:
            wish["partial"] = True
        message = packb([wire.SUBSCRIBE, ref, names, wish])
        if self._fits(message) or "since" not in wish:
            return ref, [message]
        epoch, positions = wish["since"]
        before = [
            packb([wire.POSITIONS, ref, [epoch, {topic: positions[topic] for topic in topics}]])
            for topics in _parts(positions, self._size - 100, 14)
        ]
        wish["since"] = [epoch, {}]
        self._largest = self._size
        return ref, [*before, packb([wire.SUBSCRIBE, ref, names, wish])]

    def _fits(self, message: bytes) -> bool:
        if len(message) > self._size:
            return False
        self._largest = max(self._largest, len(message))
        return True

    def _wish(self, ref: int, names: list[str], start: Start, back: bool) -> dict[str, Any]:
        """Add the start of a subscription: its positions if it has them, else the newest message of each key."""
        asked: dict[str, int] | None = None
        wish = start.options()
        if back and self.epoch:
            known, wanted = {**self._settled, **self._positions}, _meant(names)
            asked = {topic: at for topic, at in known.items() if wanted(topic)}
            wish["since"] = [self.epoch, asked]
        self._asked[ref] = Asked(list(names), asked)
        return wish

    def unsubscribe(self, names: Iterable[str]) -> tuple[int, bytes]:
        """Remove subscriptions; return the request's number and the message to send."""
        left = self._drop(names)
        ref = self._next()
        return ref, packb([wire.UNSUBSCRIBE, ref, left])

    def _drop(self, names: Iterable[str]) -> list[str]:
        """Remove `names` from the wanted ones; return those that were wanted."""
        left = [name for name in names if self._starts.pop(name, None) is not None]
        self._answered.difference_update(left)
        wanted = _meant(self._starts)
        for known in (self._positions, self._settled, self._told):
            for topic in [topic for topic in known if not wanted(topic)]:
                del known[topic]
        return left

    def renew_token(self, token: str) -> bytes:
        """Give the server a new token."""
        return packb([wire.TOKEN, self._next(), token])

    def _next(self) -> int:
        self._ref += 1
        return self._ref

    # ---- what comes ----

    def received(self, payload: bytes, now: float) -> Iterator[Message | Notice]:
        """Handle a WebSocket message; answers are appended to `out`.

        Raises
        ------
        ValueError
            If it is not of the protocol: the link is of no use then.
        """
        self._heard = now
        limits = self.limits
        if len(payload) > limits.size:
            skipped = self._skipped(payload, f"expected at most {limits.size} bytes, got {len(payload)}")
            if skipped is None:
                raise ValueError(f"message: expected at most {limits.size} bytes, got {len(payload)}")
            yield skipped
            return
        unpacker = Unpacker(
            max_buffer_size=max(len(payload), 1), max_depth=limits.depth, max_memory=limits.memory, strict_map_key=False
        )
        unpacker.feed(payload)
        end = len(payload)
        while unpacker.tell() < end:
            try:
                value = unpacker.unpack()
            except Exception as error:
                skipped = self._skipped(payload[unpacker.tell() :], str(error) or type(error).__name__)
                if skipped is None:
                    raise ValueError(f"message: expected msgpack, got {str(error) or type(error).__name__}") from error
                yield skipped
                return
            try:
                yield from self._heed(value, now)
            except (LookupError, TypeError, AttributeError, ValueError) as error:
                if str(error).startswith("message: "):
                    raise
                raise ValueError(f"message: expected one of the protocol, got {value!r:.80}") from error

    def _skipped(self, payload: bytes, why: str) -> Skipped | None:
        """Skip data that cannot be read, so that it is not requested again; None if it is no data."""
        head = Unpacker(max_buffer_size=max(len(payload), 1))
        head.feed(payload)
        try:
            if head.read_array_header() < 4 or head.unpack() != wire.DATA:
                return None
            topic, offset = self._names.get(head.unpack(), ""), _offset(head.unpack())
        except Exception:
            return None
        if topic and offset > self._positions.get(topic, 0):
            self._positions[topic] = offset
        return Skipped(topic, offset, why[:300])

    def _heed(self, value: Any, now: float) -> Iterator[Message | Notice]:
        if type(value) is not list or not value:
            raise ValueError(f"message: expected an array, got {type(value).__name__}")
        kind = value[0]
        if kind == wire.DATA:
            topic = self._names.get(value[1])
            if topic is None:
                return  # of a topic that was left a moment ago
            offset = _offset(value[2])
            if offset > self._positions.get(topic, 0):  # a node that is behind sends again what another has sent
                self._positions[topic] = offset
                yield Message(topic, value[3], offset, value[4] if len(value) > 4 else None)
        elif kind == wire.PING:
            self.out.append(wire.PONG_BYTES)
            for topic, offset in self._told.items():  # what there was of it has come before
                self._settled.setdefault(topic, offset)
            self._told.clear()
        elif kind == wire.TOPIC:
            self._names[_offset(value[1])] = str(value[2])
        elif kind == wire.CONNECT:
            yield from self._welcomed(value[1], now)
        elif kind == wire.SUBSCRIBE:
            yield from self._subscribed(value[1], value[2], len(value) > 3 and value[3] is True)
        elif kind == wire.UNSUBSCRIBE:
            if value[1] == 0 and len(value) > 2:  # the server has taken them away
                yield Unsubscribed(tuple(self._drop(value[2])))
            else:
                self.done.add(value[1])
        elif kind == wire.ERROR:
            yield from self._refused(value[1], value[2], str(value[3]), value[4] if len(value) > 4 else None)
        elif kind == wire.DRAIN:
            self._drain = min(_seconds(value[1]), 3600.0)
        elif kind == wire.TOKEN:
            self.expires = None if value[2] is None else now + _seconds(value[2])
        elif kind == wire.EPOCH:
            yield from self._renewed(str(value[1]))

    def _welcomed(self, welcome: dict[str, Any], now: float) -> Iterator[Notice]:
        epoch = str(welcome["epoch"])
        ping, pong, ttl = welcome.get("ping"), welcome.get("pong"), welcome.get("ttl")
        self._patience = _seconds(ping) + _seconds(pong) if ping and pong else float("inf")
        self.expires = None if ttl is None else now + _seconds(ttl)
        self.welcome = True
        size = welcome.get("size")
        if type(size) is int and size >= LEAST:
            self._size = size
        later, self._later = self._later, []
        self.out += later
        restarted = self.epoch not in ("", epoch)
        if not restarted:
            self.epoch = epoch
        else:
            self._others(epoch)
        yield Connected(epoch, restarted, str(welcome.get("session", "")))

    def _others(self, epoch: str) -> None:
        """Drop all positions: the epoch has changed."""
        self.epoch = epoch
        for known in (self._positions, self._settled, self._told):
            known.clear()

    def _renewed(self, epoch: str) -> Iterator[Notice]:
        """Handle that the node lost its position: missed messages are unknown, whether the epoch stays or not."""
        lost = {**self._settled, **self._positions}
        restarted = epoch != self.epoch
        self._others(epoch)
        if restarted:
            yield Connected(epoch, True, "")
        for topic, offset in lost.items():
            yield Gap(topic, None if restarted else offset, epoch)

    def _subscribed(self, ref: int, entries: list[Any], more: bool) -> Iterator[Notice]:
        names, asked = self._asked.get(ref, NOTHING)
        if not more:
            self._asked.pop(ref, None)
            self.done.add(ref)
        self._answered.update(name for name in names if name in self._starts)
        newest = any(self._starts[name].newest for name in names if name in self._starts)
        for name, number, offset, state, *_ in entries:
            topic = str(name)
            self._names[_offset(number)] = topic
            before = self._positions.get(topic)
            if state == wire.RECOVERED:
                # an epoch that was new in the welcome has cleared the positions, and then nothing is recovered
                self._positions.setdefault(topic, (asked or {}).get(topic, 0))
            elif state == wire.GAP:
                self._positions.pop(topic, None)
                self._settled.pop(topic, None)
                self._told[topic] = _offset(offset)
                yield Gap(topic, before, self.epoch)
            elif before is None and (offset == 0 or not (newest or asked is not None)):
                self._positions[topic] = _offset(offset)
            elif before is None:
                self._told[topic] = _offset(offset)
            yield Subscribed(topic, _offset(offset), state == wire.RECOVERED)

    def _refused(self, ref: int, code: int, text: str, some: Any) -> Iterator[Notice]:
        """Handle that a request, or with names a part of it, was refused."""
        names, asked = self._asked.get(ref, NOTHING)
        refused = set(some if names and isinstance(some, list) else names)
        left = [name for name in names if name not in refused]
        if left:
            self._asked[ref] = Asked(left, asked)
        else:
            self._asked.pop(ref, None)
        if ref:
            for name in names:
                if name in refused and name not in self._answered:
                    self._starts.pop(name, None)
        self.refused[ref] = SubscribeError(code, text)
        self.done.add(ref)
        yield Refusal(ref, code, text)

    # ---- the end of a connection ----

    def closed(self, code: int, reason: str, now: float) -> Disconnected:
        """End a connection; the notice says when to come back."""
        if code == TOO_BIG and self._largest > LEAST:  # the server takes less than others do
            self._size = self._largest // 2
        elif not wire.comes_back(code):
            return Disconnected(code, reason, None)
        if self.welcome and now - self._opened >= self._backoff.high:
            self._backoff.failures = 0  # it was a good one
        drain, self._drain = self._drain, None
        self.welcome = False
        if drain is not None:
            self._backoff.failures = 0
            return Disconnected(code, reason, drain)
        return Disconnected(code, reason, self._backoff.next())


def _meant(names: Iterable[str]) -> Callable[[str], bool]:
    """Whether one of `names` means a topic."""
    exact = set(names)
    patterns = [name for name in exact if is_pattern(name)]
    return lambda topic: topic in exact or any(matches(name, topic) for name in patterns)


def _parts(names: Iterable[str], size: int, more: int = 5) -> Iterator[list[str]]:
    """Split names into parts that each fit into `size` bytes, with `more` bytes for each name."""
    part, used = list[str](), 0
    for name in names:
        needed = more + len(name.encode(errors="replace"))
        if part and used + needed > size:
            yield part
            part, used = [], 0
        part.append(name)
        used += needed
    if part:
        yield part


def _offset(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"message: expected an int >= 0, got {value!r:.40}")
    return value


def _seconds(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value < 2**53:  # NaN is not, either
        raise ValueError(f"message: expected seconds, got {value!r:.40}")
    return float(value)
