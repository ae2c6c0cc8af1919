"""What a process slot runs: the task's function, and the word of its progress."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from fastcore.concurrency.slot import tell
from fastcore.tasks.codec import Codec
from fastcore.tasks.current import running
from fastcore.tasks.records import Encoded, Payload

__all__ = ["Attempt", "call_encoded", "run_task"]

_PAUSE = 0.05  # seconds between two words of progress on their way: nobody sees more of them


class Attempt:
    """An attempt as its code sees it in another process."""

    stop_requested = False  # whoever wants it to stop ends the process

    def __init__(self, id: str, kind: str, attempt: int, send: Callable[[Any], object]) -> None:
        self.id = id
        self.kind = kind
        self.attempt = attempt
        self._send = send
        self._sent_at = -_PAUSE
        self._waiting: tuple[float | None, str] | None = None

    def report(self, fraction: float | None, note: str) -> None:
        """Send word, unless the last one is too fresh: then with the next one, or with `flush`."""
        now = time.monotonic()
        if now - self._sent_at < _PAUSE:
            self._waiting = fraction, note
            return
        self._sent_at = now
        self._waiting = None
        self._send((self.id, self.attempt, fraction, note))

    def flush(self) -> None:
        """Send the word that waits."""
        if self._waiting is not None:
            self._send((self.id, self.attempt, *self._waiting))
            self._waiting = None


def run_task(
    task: Any, kind: str, payload: Payload, id: str, attempt: int, codec: Codec, announce: bool = False
) -> Any:
    """Run an attempt; `task` is a Task or a function. The result of an encoded call is encoded.

    With `announce`, None is told first: by now the modules that the task needs are imported.
    """
    if announce:
        tell(None)
    here = Attempt(id, kind, attempt, tell)
    token = running.set(here)
    try:
        return call_encoded(task, kind, payload, codec)
    finally:
        running.reset(token)
        here.flush()


def call_encoded(task: Any, kind: str, payload: Payload, codec: Codec) -> Any:
    """Call a task's function, decoding what is encoded, and encoding the result then."""
    fn = getattr(task, "fn", task)
    if not isinstance(payload, Encoded):
        args, kwargs = payload
        return fn(*args, **kwargs)
    args, kwargs = codec.decode_call(payload, kind)
    return Encoded(codec.encode(fn(*args, **kwargs), f"result of {kind}"))
