"""The messages of the wire protocol (docs/protocol.md): what a server writes and what it reads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from fastcore.framing import Unpacker, frame_packed, packb

__all__ = [
    "BAD_MESSAGE",
    "BAD_TOPIC",
    "CLOSE_BAD_MESSAGES",
    "CLOSE_BY_SERVER",
    "CLOSE_CODES",
    "CLOSE_DRAINED",
    "CLOSE_EXPIRED",
    "CLOSE_LATER",
    "CLOSE_NO_PONG",
    "CLOSE_NO_TOKEN",
    "CLOSE_RATE",
    "CLOSE_REFUSED",
    "CLOSE_SLOW",
    "CLOSE_TEXT",
    "CONNECT",
    "DATA",
    "DRAIN",
    "EPOCH",
    "ERROR",
    "FORBIDDEN",
    "FRESH",
    "GAP",
    "OTHER_KIND",
    "PING",
    "PING_FRAME",
    "PONG_BYTES",
    "POSITIONS",
    "RECOVERED",
    "REFUSED",
    "SIZE",
    "SUBPROTOCOL",
    "SUBSCRIBE",
    "TOKEN",
    "TOO_MANY",
    "TOPIC",
    "UNAVAILABLE",
    "UNSUBSCRIBE",
    "VERSION",
    "BadMessage",
    "Connect",
    "Pong",
    "Positions",
    "Request",
    "Since",
    "Subscribe",
    "Token",
    "Unsubscribe",
    "comes_back",
    "framed",
    "parse",
    "parse_text",
]

VERSION: Final = 1
SUBPROTOCOL: Final = "fastcore.v1"

CONNECT, DATA, TOPIC, SUBSCRIBE, UNSUBSCRIBE, ERROR, PING, DRAIN, TOKEN, EPOCH, POSITIONS = range(11)

FRESH, RECOVERED, GAP = range(3)  # states of a topic in the answer to a subscribe

BAD_MESSAGE, BAD_TOPIC, TOO_MANY, FORBIDDEN, REFUSED, UNAVAILABLE = range(100, 106)  # of error messages

CLOSE_TEXT: Final = 1003
OTHER_KIND: Final = ("text: expected binary messages", "binary: expected text messages, of JSON")
CLOSE_LATER: Final = 1013
CLOSE_DRAINED: Final = 3001
CLOSE_EXPIRED: Final = 3005
CLOSE_SLOW: Final = 3008
CLOSE_NO_PONG: Final = 3012
CLOSE_RATE: Final = 3013
CLOSE_REFUSED: Final = 3500
CLOSE_BAD_MESSAGES: Final = 3501
CLOSE_NO_TOKEN: Final = 3502
CLOSE_BY_SERVER: Final = 3503
CLOSE_CODES: Final = frozenset(
    {
        *range(1000, 1016),
        CLOSE_DRAINED,
        CLOSE_EXPIRED,
        CLOSE_SLOW,
        CLOSE_NO_PONG,
        CLOSE_RATE,
        CLOSE_REFUSED,
        CLOSE_BAD_MESSAGES,
        CLOSE_NO_TOKEN,
        CLOSE_BY_SERVER,
    }
)

SIZE: Final = 1 << 16  # what a client may send in a message, unless the welcome says otherwise
PONG_BYTES: Final = b"\x91\x06"
MAX_DEPTH: Final = 8  # a client's message is [kind, ref, [names], {"since": [epoch, {name: offset}]}]
MAX_REF: Final = 2**53
MAX_LAST: Final = 10**6

Since: TypeAlias = tuple[str, dict[str, int]]


class BadMessage(ValueError):
    """An invalid message; `ref` is the request's, or 0."""

    def __init__(self, text: str, ref: int = 0) -> None:
        super().__init__(text)
        self.ref = ref


class Subscribe(NamedTuple):
    """A subscription request, with positions."""

    ref: int
    names: list[str]
    since: Since | None = None
    newest: bool = False
    partial: bool = False  # what is good of it, where not all is
    last: int | None = None  # begin with so many messages of each; None leaves it to the server


class Connect(NamedTuple):
    """The first message."""

    token: str | None
    topics: Subscribe | None


class Unsubscribe(NamedTuple):
    """Names to unsubscribe from."""

    ref: int
    names: list[str]


class Positions(NamedTuple):
    """A part of the client's positions, for the next subscribe: all of them may be too large for one message."""

    ref: int
    since: Since


class Token(NamedTuple):
    """A new token in place of one that is about to expire."""

    ref: int
    token: str


class Pong(NamedTuple):
    """The answer to a ping."""


Request: TypeAlias = Connect | Subscribe | Unsubscribe | Positions | Token | Pong


def comes_back(code: int) -> bool:
    """Whether a client that was closed with `code` should connect again by itself."""
    return 3000 <= code <= 3499 or 4000 <= code <= 4499 or code in (1001, 1005, 1006, 1011, 1012, 1013)


def framed(*message: Any) -> bytes:
    """One server message as a whole WebSocket frame."""
    return frame_packed(packb(list(message)))


PING_FRAME: Final = framed(PING)


def parse(payload: bytes, *, max_messages: int = 64) -> Iterable[Request]:
    """Parse the messages that a client sent; valid ones are yielded before the error of an invalid one.

    Raises
    ------
    BadMessage
    """
    if payload == PONG_BYTES:  # what comes most often
        yield Pong()
        return
    unpacker = Unpacker(
        max_buffer_size=max(len(payload), 1),
        max_depth=MAX_DEPTH,
        strict_map_key=False,
        max_memory=16 * len(payload) + 4096,
    )
    unpacker.feed(payload)
    for count in range(max_messages + 1):
        try:
            value = unpacker.unpack()
        except Exception as error:
            if unpacker.tell() == len(payload) and count:
                return
            raise BadMessage(f"message: expected msgpack, got {str(error) or type(error).__name__}") from None
        if count == max_messages:
            raise BadMessage(f"message: expected at most {max_messages} values, got more")
        yield _request(value)


def parse_text(payload: bytes) -> Iterable[Request]:
    """Read the one message in JSON that a client sent.

    Raises
    ------
    BadMessage
    """
    try:
        value = json.loads(payload.decode())
        json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate is no text
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"message: expected JSON, got {type(error).__name__}: {error}"[:200]) from None
    yield _request(value)


def _request(value: Any) -> Request:
    if type(value) is not list or not value or type(value[0]) is not int:
        raise BadMessage(f"message: expected an array that begins with its kind, got {_kind(value)}")
    kind = value[0]
    if kind == PING:
        return Pong()
    if kind == CONNECT:
        return _connect(value[1] if len(value) > 1 else {})
    if kind not in (SUBSCRIBE, UNSUBSCRIBE, TOKEN, POSITIONS):
        raise BadMessage(f"message: expected a kind of a client, got {kind}")
    if len(value) < 3:
        raise BadMessage(f"message {kind}: expected at least 3 elements, got {len(value)}")
    ref = value[1]
    if type(ref) is not int or not 0 <= ref <= MAX_REF:
        raise BadMessage(f"ref: expected an int in 0..2**53, got {_kind(ref)}")
    if kind == TOKEN:
        if type(value[2]) is not str:
            raise BadMessage(f"token: expected a str, got {_kind(value[2])}", ref)
        return Token(ref, value[2])
    if kind == POSITIONS:
        since = since_of(value[2], ref)
        if since is None:
            raise BadMessage("since: expected [epoch, offsets by topic], got None", ref)
        return Positions(ref, since)
    names = _names(value[2], ref)
    if kind == UNSUBSCRIBE:
        return Unsubscribe(ref, names)
    options = value[3] if len(value) > 3 and value[3] is not None else {}
    if type(options) is not dict:
        raise BadMessage(f"options: expected a map, got {_kind(options)}", ref)
    since, newest, partial = options.get("since"), options.get("newest") is True, options.get("partial") is True
    return Subscribe(ref, names, since_of(since, ref), newest, partial, last_of(options.get("last"), ref))


def _connect(options: Any) -> Connect:
    if type(options) is not dict:
        raise BadMessage(f"options: expected a map, got {_kind(options)}")
    token = options.get("token")
    if token is not None and type(token) is not str:
        raise BadMessage(f"token: expected a str, got {_kind(token)}")
    topics = options.get("topics")
    if topics is None:
        return Connect(token, None)
    since, newest, last = (
        since_of(options.get("since"), 0),
        options.get("newest") is True,
        last_of(options.get("last"), 0),
    )
    return Connect(token, Subscribe(0, _names(topics, 0), since, newest, last=last))


def _names(value: Any, ref: int) -> list[str]:
    if type(value) is not list or not all(type(name) is str for name in value):
        raise BadMessage(f"names: expected an array of str, got {_kind(value)}", ref)
    return list(dict.fromkeys(value))


def since_of(value: Any, ref: int) -> Since | None:
    """Return an epoch and offsets by topic, as a client sends them."""
    if value is None:
        return None
    if type(value) is not list or len(value) != 2 or type(value[0]) is not str or type(value[1]) is not dict:
        raise BadMessage(f"since: expected [epoch, offsets by topic], got {_kind(value)}", ref)
    offsets: Mapping[Any, Any] = value[1]
    for name, offset in offsets.items():
        if type(name) is not str or type(offset) is not int or not 0 <= offset < 2**63:
            raise BadMessage("since: expected offsets >= 0 by names of topics, got something else", ref)
    return value[0], value[1]


def last_of(value: Any, ref: int) -> int | None:
    """Return the number of messages of each topic that a client wants to begin with."""
    if value is None:
        return None
    if type(value) is not int or value < 0:
        raise BadMessage(f"last: expected an int >= 0, got {_kind(value)}", ref)
    return min(value, MAX_LAST)


def _kind(value: Any) -> str:
    return f"{value!r:.40}" if isinstance(value, (int, float, bool)) or value is None else type(value).__name__
