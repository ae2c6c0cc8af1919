"""A request's body on its way in: bounded, parsed, judged."""

from __future__ import annotations

from typing import Any

import pydantic_core
from fastapi import Request
from pydantic import ValidationError

from fastcore.tasks.http.models import Submission
from fastcore.tasks.http.problems import Problem

__all__ = ["read", "wrong"]


async def read(request: Request, max_body: int) -> Submission:
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
    try:
        found: Any = pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise wrong([((), f"expected JSON: {error}")]) from None
    try:
        return Submission.model_validate(found)
    except ValidationError as error:
        raise wrong(
            [
                (tuple(e["loc"]), str(e["msg"]))
                for e in error.errors(include_url=False, include_context=False, include_input=False)
            ]
        ) from None


def wrong(errors: list[tuple[tuple[str | int, ...], str]], where: str = "body") -> Problem:
    """Return the problem that lists all that is wrong."""
    shown = [{"loc": [where, *loc], "message": message} for loc, message in errors[:100]]
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
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_body:
            raise _too_large(max_body)
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large(max_body: int) -> Problem:
    return Problem(413, "too-large", "The body is too large", f"body: expected at most {max_body:,} bytes, got more")
