"""Access control: Origins, tokens and what they grant."""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from fastcore.streaming.caller import Caller
from python_fallback.shared.framing.topics import check_pattern

__all__ = ["UNAVAILABLE", "Authenticate", "Authorize", "Grant", "Origins", "Rights", "covers"]

_log = logging.getLogger("fastcore.streaming")
_REMEMBERED = 1 << 14  # answers of `authorize` for one grant; clients choose what is asked


@dataclass(frozen=True, slots=True)
class Grant:
    """The rights of a valid token.

    Parameters
    ----------
    user : object, optional
        Identifies the user for the application.
    expires : float, optional
        Seconds since the epoch of `time.time`; from then on the token is invalid.
    topics : tuple of str, optional
        Topics and patterns it allows; None for all.

    Examples
    --------
    >>> from fastcore.streaming import Grant
    >>> grant = Grant("ann", topics=("prices.*",))
    >>> grant.allows("prices.AAPL"), grant.allows("orders.ann")
    (True, False)
    """

    user: Any = None
    expires: float | None = None
    topics: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.expires is not None and not math.isfinite(self.expires):
            raise ValueError(f"expires: expected a finite time or None, got {self.expires}")
        if isinstance(self.topics, str):
            raise TypeError("topics: expected a tuple of str, got a str")
        for name in self.topics or ():
            check_pattern(name, 65535)

    def allows(self, name: str) -> bool:
        """Whether all topics that match `name`, a topic or a pattern, are allowed."""
        return self.topics is None or any(covers(allowed, name) for allowed in self.topics)


Answer: TypeAlias = Grant | bool | None
Authenticate: TypeAlias = (
    Callable[[str], Answer | Awaitable[Answer]] | Callable[[str | None, Caller], Answer | Awaitable[Answer]]
)


UNAVAILABLE: Final = Grant(topics=())
"""In place of a grant where `authenticate` could not answer: the client should try again later."""

Authorize: TypeAlias = Callable[[Grant, str], bool]


class Rights:
    """What a grant allows; `authorize` is asked once for each name."""

    __slots__ = ("__weakref__", "_answers", "_authorize", "grant")

    def __init__(self, grant: Grant, authorize: Authorize | None) -> None:
        self.grant = grant
        self._authorize = authorize
        self._answers: dict[str, bool] = {}

    @property
    def each_topic(self) -> Callable[[str], bool] | None:
        """What to ask about each topic of a pattern; None where nothing depends on the topic."""
        return None if self._authorize is None else self

    def __call__(self, name: str) -> bool:
        """Whether a topic or pattern is allowed."""
        answer = self._answers.get(name)
        if answer is None:
            answer = self.grant.allows(name) and self._ask(name)
            if len(self._answers) >= _REMEMBERED:
                self._answers.clear()
            self._answers[name] = answer
        return answer

    def _ask(self, name: str) -> bool:
        if self._authorize is None:
            return True
        try:
            return bool(self._authorize(self.grant, name))
        except (Exception, SystemExit, asyncio.CancelledError):
            _log.exception("authorize raised; %s is refused", name)
            return False


def covers(allowed: str, name: str) -> bool:
    """Whether every topic that matches `name` matches `allowed`."""
    if name == allowed:
        return True
    wanted, words = allowed.split("."), name.split(".")
    if wanted[-1] == ">":
        wanted.pop()
        if len(words) <= len(wanted):
            return False
        words = words[: len(wanted)]
    elif words[-1] == ">":
        return False
    return len(wanted) == len(words) and all(one in ("*", word) for one, word in zip(wanted, words))


async def granted(authenticate: Callable[..., Any], *asked: Any) -> Grant | None:
    """Ask the application; None for an invalid or expired token."""
    answer: Any = authenticate(*asked)
    if inspect.isawaitable(answer):
        answer = await answer
    if answer is True:
        return Grant()
    if answer is None or answer is False:
        return None
    if not isinstance(answer, Grant):
        raise TypeError(f"authenticate: expected a Grant, a bool or None, got {type(answer).__name__}")
    return answer


class Origins:
    """The pages whose scripts may connect.

    Parameters
    ----------
    allowed : "*", an iterable of origins (``https://desk.example.com``, ``https://*.example.com``), or None
        None: those of the host that is connected to. Programs other than browsers send no Origin, and are admitted.
    """

    def __init__(self, allowed: str | Iterable[str] | None) -> None:
        self.any = allowed == "*"
        if isinstance(allowed, str) and not self.any:
            raise TypeError("origins: expected '*', an iterable of str or None, got a str")
        self._same_host = allowed is None
        self._exact: set[tuple[str, str, int | None]] = set()
        self._suffixes: list[tuple[str, str, int | None]] = []
        for origin in () if allowed is None or self.any else allowed:
            parts = urlsplit(origin)
            if not parts.scheme or not parts.netloc or parts.path.strip("/") or parts.query:
                raise ValueError(f"origins: expected scheme://host[:port], got {origin!r}")
            plain = _normal(origin)
            if plain is None:
                raise ValueError(f"origins: expected scheme://host[:port], got {origin!r}")
            scheme, host, port = plain
            if host.startswith("*."):
                self._suffixes.append((scheme, host[1:], port))
            else:
                self._exact.add(plain)

    def allow(self, origins: list[str], host: str | None) -> bool:
        """Whether a handshake with these Origin headers and this Host is admitted."""
        if self.any or not origins:
            return True
        origin = _normal(origins[0])
        if len(origins) > 1 or origin is None:
            return False
        if self._same_host:
            return host is not None and _same(origin, host)
        if origin in self._exact:
            return True
        scheme, name, port = origin
        return any((scheme, port) == (known, at) and name.endswith(suffix) for known, suffix, at in self._suffixes)


_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def _normal(origin: str) -> tuple[str, str, int | None] | None:
    """Scheme, host and port of an origin; None where it is invalid."""
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return None
    if not parts.scheme or not parts.hostname:
        return None
    scheme = parts.scheme.lower()
    return scheme, parts.hostname.rstrip("."), _PORTS.get(scheme) if port is None else port


def _same(origin: tuple[str, str, int | None], host: str) -> bool:
    """Whether a page of `origin` belongs to the host that a request names.

    A Host without a port may come from a proxy that drops it, and proxies on a developer's machine have ports of their
    own: then only the names are compared.
    """
    scheme, name, port = origin
    named = _normal(f"{scheme}://{host}")
    if scheme not in ("http", "https") or named is None or named[1] != name:
        return False
    try:
        given = urlsplit(f"//{host}").port
    except ValueError:
        return False
    return given is None or given == port or name in ("localhost", "127.0.0.1", "::1")
