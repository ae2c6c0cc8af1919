"""Errors in the format of RFC 9457: ``application/problem+json``, with a type for programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse

__all__ = ["MEDIA_TYPE", "Problem", "ProblemResponse"]

MEDIA_TYPE = "application/problem+json"


class ProblemResponse(JSONResponse):
    media_type = MEDIA_TYPE


class Problem(Exception):
    """An answer that is an error: raised anywhere in a route, sent by the route class."""

    def __init__(
        self, status: int, kind: str, title: str, detail: str, *, retry_after: float | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.title = title
        self.detail = detail
        self.members = members
        self.headers: Mapping[str, str] = {} if retry_after is None else {"Retry-After": seconds(retry_after)}

    def response(self) -> ProblemResponse:
        body = {
            "type": f"urn:fastcore:tasks:{self.kind}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **self.members,
        }
        return ProblemResponse(body, self.status, headers=dict(self.headers))


def seconds(value: float) -> str:
    """Return a Retry-After: whole seconds, at least one."""
    return str(max(1, -int(-value // 1)))
