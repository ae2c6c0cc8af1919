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
    """The base of every error of `fastcore.tasks`.

    Examples
    --------
    >>> from fastcore.tasks import TaskError, TaskFailed, TaskLost
    >>> issubclass(TaskFailed, TaskError), issubclass(TaskLost, TaskError)
    (True, True)
    """


class QueueFull(TaskError):
    """The store holds as many waiting tasks as it may.

    Examples
    --------
    >>> from fastcore.tasks import QueueFull, TaskQueue
    >>> queue = TaskQueue(max_queued=1)
    >>> @queue.task
    ... def report():
    ...     return "done"
    >>> id = queue.submit(report)
    >>> try:
    ...     queue.submit(report)
    ... except QueueFull:
    ...     print("answer 503")
    answer 503
    """


class QueueClosed(TaskError):
    """The queue or its store was closed.

    Examples
    --------
    >>> from fastcore.tasks import QueueClosed, TaskError
    >>> issubclass(QueueClosed, TaskError)
    True
    """


class StoreError(TaskError):
    """The store failed: the request had no effect.

    Examples
    --------
    >>> from fastcore.tasks import StoreError, TaskError
    >>> issubclass(StoreError, TaskError)
    True
    """


class UnknownTask(TaskError, LookupError):
    """No task of this id was ever stored, or it was removed long ago.

    Examples
    --------
    >>> from fastcore.tasks import TaskQueue, UnknownTask
    >>> try:
    ...     TaskQueue().status("an id that never was")
    ... except UnknownTask:
    ...     print("answer 404")
    answer 404
    """


class ResultExpired(TaskError, LookupError):
    """The task ended, and its result was kept for as long as `result_ttl` said.

    Examples
    --------
    >>> from fastcore.tasks import ResultExpired
    >>> issubclass(ResultExpired, LookupError)
    True
    """


class NotFinished(TaskError, TimeoutError):
    """The task has not ended yet.

    Examples
    --------
    >>> from fastcore.tasks import NotFinished, TaskQueue
    >>> queue = TaskQueue()
    >>> @queue.task
    ... def report():
    ...     return "done"
    >>> id = queue.submit(report)                     # no worker runs yet
    >>> try:
    ...     queue.result(id, timeout=0)
    ... except NotFinished:
    ...     print("not yet")
    not yet
    """


class TaskFailed(TaskError):
    """The task ended in a failure; the text says which, `trace` holds its traceback.

    Examples
    --------
    >>> from fastcore.tasks import TaskFailed, TaskQueue
    >>> queue = TaskQueue(inline=True)
    >>> @queue.task
    ... def divide(a, b):
    ...     return a / b
    >>> try:
    ...     queue.result(queue.submit(divide, 1, 0))
    ... except TaskFailed as error:
    ...     "ZeroDivisionError" in error.trace
    True
    """

    trace: str = ""


class TaskCancelled(TaskError):
    """The task was cancelled. Raised out of `progress` and `checkpoint` in a task that was asked to stop.

    Examples
    --------
    >>> from fastcore.tasks import TaskCancelled, TaskQueue
    >>> queue = TaskQueue()
    >>> @queue.task
    ... def report():
    ...     return "done"
    >>> id = queue.submit(report)
    >>> str(queue.cancel(id))
    'cancelled'
    >>> try:
    ...     queue.result(id)
    ... except TaskCancelled:
    ...     print("cancelled")
    cancelled
    """


class TaskTimeout(TaskError, TimeoutError):
    """An attempt took longer than the task's `timeout`.

    Examples
    --------
    >>> from fastcore.tasks import TaskTimeout
    >>> issubclass(TaskTimeout, TimeoutError)
    True
    """


class TaskLost(TaskError):
    """The worker that ran an attempt died, or its lease passed unrenewed.

    Examples
    --------
    >>> from fastcore.tasks import TaskError, TaskLost
    >>> issubclass(TaskLost, TaskError)
    True
    """


class UnsupportedOption(TaskError, ValueError):
    """The executor cannot honour an option that was asked for.

    Examples
    --------
    >>> from fastcore.tasks import TaskQueue, UnsupportedOption
    >>> queue = TaskQueue()
    >>> @queue.task(on="thread")
    ... def report():
    ...     return "done"
    >>> try:
    ...     queue.submit(report.configure(timeout=5))  # nothing can stop a thread
    ... except UnsupportedOption as error:
    ...     "timeout" in str(error)
    True
    """


class IdempotencyConflict(TaskError, ValueError):
    """An idempotency key was used again for another call; `id` is the task it belongs to.

    Examples
    --------
    >>> from fastcore.tasks import IdempotencyConflict, TaskQueue
    >>> queue = TaskQueue()
    >>> @queue.task
    ... def charge(amount):
    ...     return amount
    >>> id = queue.submit(charge.configure(idempotency_key="order 7"), 10)
    >>> queue.submit(charge.configure(idempotency_key="order 7"), 10) == id
    True
    >>> try:
    ...     queue.submit(charge.configure(idempotency_key="order 7"), 99)
    ... except IdempotencyConflict as error:
    ...     error.id == id
    True
    """

    def __init__(self, message: str, id: str = "") -> None:
        super().__init__(message)
        self.id = id
