"""Background tasks without a broker: a durable store, executors, and one engine between them."""

from __future__ import annotations

from fastcore.tasks.current import Current, checkpoint, current, progress
from fastcore.tasks.errors import (
    IdempotencyConflict,
    NotFinished,
    QueueClosed,
    QueueFull,
    ResultExpired,
    StoreError,
    TaskCancelled,
    TaskError,
    TaskFailed,
    TaskLost,
    TaskTimeout,
    UnknownTask,
    UnsupportedOption,
)
from fastcore.tasks.hooks import TaskEvent
from fastcore.tasks.installation import install, installed, submit_background_task
from fastcore.tasks.middleware import TaskCall
from fastcore.tasks.queue import TaskQueue
from fastcore.tasks.records import GroupView, State, TaskView
from fastcore.tasks.task import Task

__all__ = [
    "Current",
    "GroupView",
    "IdempotencyConflict",
    "NotFinished",
    "QueueClosed",
    "QueueFull",
    "ResultExpired",
    "State",
    "StoreError",
    "Task",
    "TaskCall",
    "TaskCancelled",
    "TaskError",
    "TaskEvent",
    "TaskFailed",
    "TaskLost",
    "TaskQueue",
    "TaskTimeout",
    "TaskView",
    "UnknownTask",
    "UnsupportedOption",
    "checkpoint",
    "current",
    "install",
    "installed",
    "progress",
    "submit_background_task",
]
