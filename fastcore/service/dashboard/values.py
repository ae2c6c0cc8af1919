"""Arguments and results of tasks as text: bounded, with the values of secrets left out."""

from __future__ import annotations

import re
from typing import Any

from fastcore.dispatch.formatting import Brief
from fastcore.tasks.codec import Codec, CodecError
from fastcore.tasks.records import Encoded

__all__ = ["arguments", "masked", "shown"]

LONGEST = 2000  # characters of one value
LARGEST = 1 << 20  # bytes of a value that are decoded
MOST = 50  # arguments of one call
HIDDEN = "•••"

_SECRET = re.compile(
    r"pass(word|wd|phrase)?s?$|secret|token|api_?key|credential|authorization|cookie|private_?key|dsn$", re.I
)
_IN_ADDRESS = re.compile(r"(?<=://)[^\s/@]*:[^\s/@]*(?=@)")  # user:password of a URL
_BEARER = re.compile(r"(?i)(?<=bearer )[\w.~+/=-]+")


class _Values(Brief):
    """Shortens values, and leaves out those of keys that name a secret."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxdict, self.maxlist, self.maxtuple = 5, 40, 40, 40
        self.maxset = self.maxfrozenset = self.maxdeque = self.maxarray = 40
        self.maxstring = self.maxlong = 500
        self.maxother = LONGEST + 3  # of which three are dots

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        if level <= 0:
            return "{...}" if x else "{}"
        parts = []
        for key in list(x)[: self.maxdict]:
            name = self.repr1(key, level - 1)
            secret = isinstance(key, (str, bytes)) and _SECRET.search(name.strip("b'\""))
            parts.append(f"{name}: {HIDDEN if secret else self.repr1(x[key], level - 1)}")
        return "{" + ", ".join(parts + ["..."] * (len(x) > self.maxdict)) + "}"


_VALUES = _Values()


def masked(text: str, most: int = LONGEST) -> str:
    """Return a text without passwords in addresses, without bearer tokens, and at most so long."""
    text = text[: 4 * most]  # what is searched is bounded too
    text = _BEARER.sub(HIDDEN, _IN_ADDRESS.sub(HIDDEN, text))
    text = text.encode("utf-8", "replace").decode()  # a lone surrogate is not JSON
    return text if len(text) <= most else text[:most] + "…"


def shown(value: Any) -> str:
    """Return what a value looks like; of bytes that a store kept, the value in them. Pickles are not read."""
    if isinstance(value, Encoded):
        try:
            value = _decoded(value)
        except CodecError as error:
            return f"{len(value):,} bytes ({masked(str(error), 200)})"
    try:
        return masked(_VALUES.repr(value))
    except KeyboardInterrupt:
        raise
    except BaseException:  # a mapping that changes while it is read
        return f"<{type(value).__name__}>"


def _decoded(data: Encoded) -> Any:
    if len(data) > LARGEST:
        raise CodecError(f"not read: over {LARGEST:,} bytes")
    return Codec().decode(data)


def arguments(payload: Any) -> list[dict[str, str]] | None:
    """Return the arguments of a call by name or place; None where the store no longer has them."""
    if payload is None:
        return None
    if isinstance(payload, Encoded):
        try:
            payload = _decoded(payload)
        except CodecError as error:
            return [{"name": "", "value": f"{len(payload):,} bytes ({masked(str(error), 200)})"}]
    positional, named = payload
    found = [{"name": str(place), "value": shown(value)} for place, value in enumerate(positional)]
    found += [
        {"name": masked(name, 100), "value": HIDDEN if _SECRET.search(name) else shown(value)}
        for name, value in named.items()
    ]
    left = len(found) - MOST
    return found if left <= 0 else [*found[:MOST], {"name": "…", "value": f"{left} further arguments"}]
