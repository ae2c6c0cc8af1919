"""The bodies of the answers and of the one request, as OpenAPI states them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Accepted", "Pending", "ProblemBody", "Result", "Submission", "TaskBody", "TaskFailure", "TaskList"]

StateName = Literal["queued", "running", "succeeded", "failed", "cancelled", "dead", "expired"]


class Submission(BaseModel):
    """A task to be run."""

    model_config = ConfigDict(extra="forbid", strict=True, title="Submission")

    task: str = Field(min_length=1, max_length=200, description="The name that the task is registered by.")
    args: list[Any] = Field(default=[], max_length=1000, description="Positional arguments.")
    kwargs: dict[str, Any] = Field(default={}, description="Keyword arguments.")
    priority: int | None = Field(
        default=None, ge=0, le=9, description="0 is urgent, 5 normal, 9 idle; by default the task's own."
    )
    delay: float | None = Field(
        default=None, ge=0, le=31_536_000, allow_inf_nan=False, description="Seconds to hold it back for."
    )


class Accepted(BaseModel):
    """The task is queued, as durably as the queue promises."""

    task_id: str
    status: Literal["processing"] = Field(description="What it is from here on; the status_url has the exact state.")
    estimated_time: str = Field(description="How long it will take, in words; `unknown` before its first run.")
    estimated_seconds: float | None
    status_url: str
    result_url: str
    events_url: str


class Pending(BaseModel):
    """There is no result yet."""

    task_id: str
    status: StateName
    estimated_time: str
    estimated_seconds: float | None
    status_url: str
    result_url: str


class Progress(BaseModel):
    fraction: float | None = Field(description="From 0 to 1, if the task tells it.")
    note: str


class TaskFailure(BaseModel):
    """The error that ended the task, as far as clients may see it."""

    type: str
    message: str


class GroupBody(BaseModel):
    """The members of a group."""

    size: int
    states: dict[StateName, int] = Field(description="How many members are in each state.")
    callback: str | None = Field(description="The id of the callback, once all members have ended.")


class TaskBody(BaseModel):
    """What is known of a task, or of a group as one. Times are seconds since 1970."""

    task_id: str
    task: str
    status: StateName
    priority: float
    attempt: int = Field(description="How many times it was begun.")
    max_attempts: int
    progress: Progress
    cancel_requested: bool
    submitted: float
    started: float | None
    finished: float | None
    error: TaskFailure | None
    result_url: str
    events_url: str
    group: GroupBody | None = Field(default=None, description="Only of a group.")


class TaskList(BaseModel):
    """A page of tasks, newest first."""

    tasks: list[TaskBody]
    counts: dict[str, int] = Field(description="All tasks by state, whatever the filter.")
    paused: list[str] = Field(description="Names of tasks that no worker begins until they are resumed.")
    next: str | None = Field(description="Where the next page begins: its `before`.")


class Result(BaseModel):
    """The value that the task returned."""

    task_id: str
    status: Literal["succeeded"]
    result: Any


class WrongField(BaseModel):
    loc: list[str | int] = Field(description="Where in the request.")
    message: str


class ProblemBody(BaseModel):
    """A problem, in the format of RFC 9457."""

    model_config = ConfigDict(title="Problem")

    type: str
    title: str
    status: int
    detail: str
    errors: list[WrongField] | None = None
    task_id: str | None = None
    error: TaskFailure | None = None
