"""Caller: the parts of the request, apart from the token, for a hub's `authenticate`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import unquote

__all__ = ["Caller", "takes_caller"]


class Caller:
    """The request that a client connects with.

    Parameters
    ----------
    headers : Mapping
        By name in small letters; values of one name are joined with commas, those of ``cookie`` with semicolons.
    address : str or None
        The client's, as the server gives it.
    path : str
        That was asked for, without the query.

    Examples
    --------
    >>> from fastcore.streaming import Caller
    >>> caller = Caller({"cookie": "session=abc", "user-agent": "curl"}, "127.0.0.1", "/stream")
    >>> caller.cookies["session"]
    'abc'
    """

    def __init__(self, headers: Mapping[str, str], address: str | None, path: str) -> None:
        self.headers = headers
        self.address = address
        self.path = path

    @cached_property
    def cookies(self) -> dict[str, str]:
        """The cookies by name; of two with one name the first counts."""
        found: dict[str, str] = {}
        for part in self.headers.get("cookie", "").split(";"):
            name, equals, value = part.partition("=")
            if equals:
                value = value.strip()
                if len(value) > 1 and value[0] == value[-1] == '"':
                    value = value[1:-1]
                found.setdefault(name.strip(), unquote(value))
        return found

    def __repr__(self) -> str:
        return f"Caller(address={self.address!r}, path={self.path!r})"  # headers hold secrets


def takes_caller(hook: Callable[..., Any]) -> bool:
    """Whether `hook` takes a second argument: one without a default, one named ``caller``, or any number."""
    try:
        parameters = list(inspect.signature(hook).parameters.values())
    except (TypeError, ValueError):  # not every callable tells
        return False
    if any(one.kind is one.VAR_POSITIONAL for one in parameters):
        return True
    places = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    return len(places) > 1 and (places[1].default is inspect.Parameter.empty or places[1].name == "caller")
