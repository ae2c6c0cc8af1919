"""The errors of tasks, stores and executors."""

from __future__ import annotations

__all__ = [
    "IdempotencyConflict",
    "NotFinished",
    "QueueClosed",
    "QueueFull",
    "ResultExpired",
    "StoreError",
    "TaskCancelled",
    "TaskError",
    "TaskFailed",
    "TaskLost",
    "TaskTimeout",
    "UnknownTask",
    "UnsupportedOption",
]


class TaskError(Exception):
    """The base of every error of `fastcore.tasks`."""


class QueueFull(TaskError):
    """The store holds as many waiting tasks as it may."""


class QueueClosed(TaskError):
    """The queue or its store was closed."""


class StoreError(TaskError):
    """The store failed: the request had no effect."""


class UnknownTask(TaskError, LookupError):
    """No task of this id was ever stored, or it was removed long ago."""


class ResultExpired(TaskError, LookupError):
    """The task ended, and its result was kept for as long as `result_ttl` said."""


class NotFinished(TaskError, TimeoutError):
    """The task has not ended yet."""


class TaskFailed(TaskError):
    """The task ended in a failure; the text says which, `trace` holds its traceback."""

    trace: str = ""


class TaskCancelled(TaskError):
    """The task was cancelled. Raised out of `progress` and `checkpoint` in a task that was asked to stop."""


class TaskTimeout(TaskError, TimeoutError):
    """An attempt took longer than the task's `timeout`."""


class TaskLost(TaskError):
    """The worker that ran an attempt died, or its lease passed unrenewed."""


class UnsupportedOption(TaskError, ValueError):
    """The executor cannot honour an option that was asked for."""


class IdempotencyConflict(TaskError, ValueError):
    """An idempotency key was used again for another call; `id` is the task it belongs to."""

    def __init__(self, message: str, id: str = "") -> None:
        super().__init__(message)
        self.id = id
