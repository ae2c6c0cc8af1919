"""A bearer token that an application asks for, held as a digest."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from fastcore._text import storable
from fastcore.dispatch.middleware import Scope

__all__ = ["BearerToken"]

SHORTEST = 16  # characters of a token
HEADER = b"x-fastcore-token"  # where a proxy in front has a use of its own for Authorization


class BearerToken:
    """A token, long enough not to be guessed.

    Raises
    ------
    TypeError, ValueError
        If it is no str, too short, or has no UTF-8.
    """

    __slots__ = ("_digest",)

    def __init__(self, token: Any) -> None:
        if not isinstance(token, str):
            raise TypeError(f"token: expected a str, got {type(token).__name__}")
        if len(token) < SHORTEST:
            raise ValueError(f"token: expected at least {SHORTEST} characters, got {len(token)}")
        if storable(token) != token:
            raise ValueError("token: expected text that UTF-8 has, got a lone surrogate")
        self._digest = _digest(token.encode())

    def accepts(self, given: str | bytes) -> bool:
        """Whether `given` is the token."""
        data = given if isinstance(given, bytes) else given.encode("utf-8", "surrogatepass")
        return hmac.compare_digest(_digest(data), self._digest)

    def admits(self, scope: Scope) -> bool:
        """Whether a request has the header ``Authorization: Bearer TOKEN`` or ``X-Fastcore-Token: TOKEN``."""
        headers = {name.lower(): value for name, value in scope.get("headers", ())}
        scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
        given = [token] if scheme.lower() == b"bearer" else []
        if HEADER in headers:
            given.append(headers[HEADER])
        return any(self.accepts(one.strip()) for one in given)


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()  # so that the comparison tells nothing, its length included
