"""The Idempotency-Key header: one task for one key, however often the request arrives.

The store keeps key and fingerprint with the task, so a restart changes nothing. Kept here is only what the store cannot
know: which keys are being submitted right now, and the very bytes that were answered.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastcore.cache import LRUCache
from fastcore.tasks.http.problems import Problem

__all__ = ["Keys", "fingerprint", "key_of", "other_request"]

_MAX_KEY = 255


def key_of(header: str | None, client: str) -> str | None:
    """Return the key for the store, which differs between clients that choose the same one.

    Raises
    ------
    Problem
        If the header is not 1 to 255 visible characters of ASCII.
    """
    if header is None:
        return None
    if not (0 < len(header) <= _MAX_KEY and header.isascii() and header.isprintable() and header.strip() == header):
        raise Problem(
            400,
            "bad-idempotency-key",
            "The Idempotency-Key cannot be used",
            f"Idempotency-Key: expected 1 to {_MAX_KEY} visible ASCII characters, got {len(header)}",
        )
    return hashlib.sha256(f"{len(client)}:{client}:{header}".encode("utf-8", "surrogatepass")).hexdigest()


def fingerprint(call: dict[str, Any]) -> str:
    """Return a text that is equal for requests of the same meaning, however they are written."""
    text = json.dumps(call, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def other_request(**members: Any) -> Problem:
    """Return the answer to a key that was used again for another request."""
    return Problem(
        422,
        "other-request",
        "The Idempotency-Key belongs to another request",
        "Idempotency-Key: expected the same request as the first with this key, got another",
        **members,
    )


class Keys:
    """The keys of this process: those in flight, and the answers to the latest. For one event loop."""

    def __init__(self, remembered: int = 10_000) -> None:
        self._in_flight: dict[str, str | None] = {}  # to the fingerprint of the request
        self._answers: LRUCache[tuple[str, str], bytes] = LRUCache(remembered)

    @contextmanager
    def submitting(self, key: str | None, mark: str | None) -> Iterator[None]:
        """Hold a key while its task is submitted; `mark` is the fingerprint of the request.

        Raises
        ------
        Problem
            If another request holds it.
        """
        if key is None:
            yield
            return
        if key in self._in_flight:
            if self._in_flight[key] != mark:
                raise other_request()
            raise Problem(
                409,
                "in-flight",
                "The first request is still in progress",
                "Idempotency-Key: expected a key without a request in progress, got one with a request",
                retry_after=1,
            )
        self._in_flight[key] = mark
        try:
            yield
        finally:
            del self._in_flight[key]

    def remember(self, key: str | None, task_id: str, answer: bytes) -> bytes:
        """Return what was answered for this key and task the first time, or else remember and return `answer`."""
        if key is None:
            return answer
        found = self._answers.get((key, task_id))
        if found is not None:
            return found
        self._answers[key, task_id] = answer
        return answer
