"""The responses of the routes, for OpenAPI: every code with its schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from fastcore.tasks.http.models import ProblemBody, Submission, TaskBody
from fastcore.tasks.http.problems import MEDIA_TYPE

__all__ = ["EVENT", "REQUEST", "answer", "problem"]

_SECONDS = {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds to wait before asking again."}


def answer(
    model: type[BaseModel], description: str, *, location: str = "", retry_after: bool = False
) -> dict[str, Any]:
    """Return the description of a code with a body."""
    headers: dict[str, Any] = {}
    if location:
        headers["Location"] = {"schema": {"type": "string"}, "description": location, "required": True}
    if retry_after:
        headers["Retry-After"] = {**_SECONDS, "required": True}
    return {"model": model, "description": description} | ({"headers": headers} if headers else {})


def problem(description: str, *, retry_after: bool = False) -> dict[str, Any]:
    """Return the description of a code with a problem."""
    found: dict[str, Any] = {"description": description, "content": {MEDIA_TYPE: {"schema": _PROBLEM}}}
    if retry_after:
        found["headers"] = {"Retry-After": _SECONDS}
    return found


def _inlined(model: type[BaseModel]) -> dict[str, Any]:
    """The schema without references: FastAPI collects the components of what it reads itself only."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def resolved(node: Any) -> Any:
        if isinstance(node, Mapping):
            if "$ref" in node:
                return resolved(definitions[str(node["$ref"]).rpartition("/")[2]])
            return {key: resolved(value) for key, value in node.items()}
        return [resolved(value) for value in node] if isinstance(node, list) else node

    found: dict[str, Any] = resolved(schema)
    return found


_PROBLEM = _inlined(ProblemBody)
REQUEST = {"requestBody": {"required": True, "content": {"application/json": {"schema": _inlined(Submission)}}}}
EVENT = {
    "type": "object",
    "description": "One event of the stream.",
    "properties": {
        "event": {"type": "string", "enum": ["state", "progress", "end"]},
        "id": {"type": "string", "pattern": "^[0-9]+$", "description": "The task's version; grows with every event."},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": _inlined(TaskBody),
            "description": "The task as it is then.",
        },
    },
    "required": ["event", "id", "data"],
}
