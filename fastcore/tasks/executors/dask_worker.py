"""What a Dask worker runs: the task's function, and reports of its progress."""

from __future__ import annotations

from typing import Any

from fastcore.concurrency.remote_error import sendable
from fastcore.tasks.codec import Codec
from fastcore.tasks.current import running
from fastcore.tasks.executors.process.child_main import Attempt, call_encoded
from fastcore.tasks.records import Payload

__all__ = ["run_on_worker"]


def run_on_worker(
    task: Any, kind: str, payload: Payload, id: str, attempt: int, token: int, codec: Codec, around: Any, topic: str
) -> Any:
    """Run an attempt; its progress reports are events of the scheduler."""
    from distributed import get_worker

    worker = get_worker()

    def send(word: tuple[str, int, float | None, str]) -> None:
        _, _, fraction, note = word
        worker.log_event(topic, (id, token, fraction, note))

    here = Attempt(id, kind, attempt, send)
    mark = running.set(here)
    try:
        return call_encoded(task, here, payload, codec, around)
    except BaseException as error:  # SystemExit would end the worker, and with it what else runs there
        raise sendable(error) from error.__cause__
    finally:
        running.reset(mark)
        here.flush()
