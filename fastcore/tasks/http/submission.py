"""A request's body: size checked, parsed, validated."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import pydantic_core
from fastapi import Request
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from fastcore.tasks.http.arguments import MOST_ERRORS, ArgumentErrors, Signature, listed
from fastcore.tasks.http.idempotency import fingerprint
from fastcore.tasks.http.models import Submission
from fastcore.tasks.http.problems import Problem

__all__ = ["Call", "read", "wrong"]

P = ParamSpec("P")
R = TypeVar("R")

_LARGE = 1 << 16  # bytes of a body from which on it is validated on a thread
_OVERFLOW = re.compile(rb"[eE]\+?[0-9]{3}|[0-9]{200}")  # what a number beyond the largest float has


class Call:
    """A parsed submission, and the size of its body."""

    def __init__(self, wanted: Submission, size: int) -> None:
        self.wanted = wanted
        self._large = size > _LARGE

    async def bound(self, signature: Signature) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments as the function's types.

        Raises
        ------
        Problem
            422 with all that is wrong; of a large body, the first that is wrong in each list.
        """
        try:
            return await _run(self._large, signature.bind, self.wanted.args, self.wanted.kwargs, brief=self._large)
        except ArgumentErrors as error:
            raise wrong([(loc or ("args",), message) for loc, message in error.errors]) from None

    async def fingerprint(self) -> str:
        """Return a text that is equal for requests of the same meaning."""
        return await _run(self._large, lambda: fingerprint(self.wanted.model_dump()))


async def read(request: Request, max_body: int) -> Call:
    """Return the submission in a request.

    Raises
    ------
    Problem
        413 beyond `max_body` bytes, of which no more are read; 415 if it is not JSON; 422 with all that is wrong.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(
            415, "not-json", "The body must be JSON", f"Content-Type: expected application/json, got {kind[:100]!r}"
        )
    body = await _bounded(request, max_body)
    return Call(await _run(len(body) > _LARGE, _parsed, body), len(body))


async def _run(large: bool, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    return await asyncio.to_thread(function, *args, **kwargs) if large else function(*args, **kwargs)


def _parsed(body: bytes) -> Submission:
    try:
        found: Any = pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise wrong([((), f"expected JSON: {error}")]) from None
    if _OVERFLOW.search(body) and (loc := _infinite(found, ())) is not None:
        raise wrong([(loc, "expected a number within the range of a float, got one beyond it")])
    try:
        return Submission.model_validate(found)
    except ValidationError as error:
        raise wrong(listed(error, ())) from None


def _infinite(value: Any, loc: tuple[str | int, ...]) -> tuple[str | int, ...] | None:
    """Return where the first infinite number is, None where there is none."""
    if isinstance(value, float):
        return loc if math.isinf(value) else None
    inner: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return next((at for key, each in inner if (at := _infinite(each, (*loc, key))) is not None), None)


def wrong(errors: Sequence[tuple[tuple[str | int, ...], str]], where: str = "body") -> Problem:
    """Return the problem that lists all that is wrong."""
    shown = [{"loc": [where, *loc], "message": message} for loc, message in errors[:MOST_ERRORS]]
    loc, message = errors[0]
    detail = f"{'.'.join(map(str, (where, *loc)))}: {message}" + (
        f" (and {len(errors) - 1} more)" if errors[1:] else ""
    )
    return Problem(422, "invalid", "The request is not valid", detail[:2000], errors=shown)


async def _bounded(request: Request, max_body: int) -> bytes:
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told[:20]) > max_body:
        raise _too_large(max_body)
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > max_body:
                raise _too_large(max_body)
            chunks.append(chunk)
    except ClientDisconnect:  # nobody reads this answer, and the log has nothing to say
        raise Problem(400, "incomplete", "The body is incomplete", "The client disconnected before its end") from None
    return b"".join(chunks)


def _too_large(max_body: int) -> Problem:
    return Problem(413, "too-large", "The body is too large", f"body: expected at most {max_body:,} bytes, got more")
