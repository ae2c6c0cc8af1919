"""Lane: one process slot, the thread that waits on it, and what it was killed for."""

from __future__ import annotations

import enum
import threading
import time
from collections.abc import Callable
from typing import Any

from fastcore.concurrency.slot import ProcessDied, Slot
from fastcore.tasks.errors import TaskLost, TaskTimeout
from fastcore.tasks.executors.process_child import run_task
from fastcore.tasks.job import Job
from fastcore.tasks.ports import Sink

__all__ = ["Doom", "Lane", "MemoryExceeded"]

_START = 120.0  # seconds for a child to start, which imports the main module
_LOOK = 1.0  # seconds between looks at a child that runs without bounds
_LOOK_AT_MEMORY = 0.1
_SECONDS_TO_END = 2.0
_MOST_LAST_WORDS = 0.5  # seconds from a child's death to the end of what is in the pipe


class MemoryExceeded(MemoryError):
    """An attempt used more memory than its limit, and was ended."""


class Doom(enum.Enum):
    """Why a child is killed."""

    CANCEL = "cancel"
    STOP = "stop"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    START = "start"


class Lane:
    """A slot, and what runs on it.

    Parameters
    ----------
    sink : Sink
    take : callable
        Waits for the next job and assigns it; returns None to end the thread.
    look : callable
        Called with a time of the monotonic clock at which `inspect` is to be called.
    ended : callable
        Called with a job and the seconds it ran before the sink is told; False if the sink is not to be told.
    max_tasks : int or None
        Jobs after which the child is replaced.
    """

    def __init__(
        self,
        sink: Sink,
        take: Callable[[Lane], Job | None],
        look: Callable[[float], object],
        ended: Callable[[Job, float], bool],
        max_tasks: int | None,
        memory_limit: int | None,
    ) -> None:
        self.slot = Slot("a task queue")
        self._sink = sink
        self._take = take
        self._look = look
        self._ended = ended
        self._max_tasks = max_tasks
        self._memory_limit = memory_limit
        self._tasks = 0  # given to the present child
        self._lock = threading.Lock()  # held while a job is put on or taken off, and while it is killed
        self._job: Job | None = None
        self._doom: Doom | None = None
        self._used = 0  # bytes, when the limit was passed
        self._since = 0.0
        self._deadline: float | None = None  # of the job, or before that of the child's start
        self._ready = False
        self._dead_since: float | None = None
        # A daemon, as a child that does not answer must not keep the program from ending.
        self.thread = threading.Thread(target=self._work, name="fastcore-task-process", daemon=True)

    def assign(self, job: Job) -> None:
        """Put a job on; from here on `kill` reaches it."""
        with self._lock:
            self._job = job
            self._doom = self._deadline = self._dead_since = None
            self._ready = False

    def kill(self, job: Job | None, doom: Doom) -> bool:
        """End the child if it runs this job, or will; False if it does not."""
        with self._lock:
            if job is None or self._job is not job:
                return False
            if self._doom is None:
                self._doom = doom
            self.slot.kill()
            return True

    def stop(self) -> None:
        """End the child, and return the job that runs."""
        self.kill(self._job, Doom.STOP)

    def leave(self) -> None:
        """End the child: at once if it is busy, by itself if it is idle. For when the program ends."""
        if not self.kill(self._job, Doom.STOP):
            self.slot.hang_up()

    def inspect(self, now: float) -> float | None:
        """Kill what is past its bounds; returns when to look again, None if nothing runs."""
        with self._lock:
            job, deadline = self._job, self._deadline
        if job is None:
            return None
        if self._dead_since is None:
            self._dead_since = now if self._ready and self.slot.dead() else None
        elif now - self._dead_since > _MOST_LAST_WORDS:
            self.slot.cut_off()
        if deadline is not None and now >= deadline:
            self.kill(job, Doom.TIMEOUT if self._ready else Doom.START)
            return now + _LOOK
        again = now + _LOOK
        limit = self._limit(job)
        if limit is not None and self._ready:
            again = now + _LOOK_AT_MEMORY
            used = _memory_of(self.slot.pid)
            if used > limit:
                self._used = used
                self.kill(job, Doom.MEMORY)
        return again if deadline is None else min(again, deadline)

    # ---- in the thread ----

    def _work(self) -> None:
        while (job := self._take(self)) is not None:
            self._run(job)
            del job  # an idle lane must not hold on to arguments
        self.slot.hang_up()
        self.slot.join(_SECONDS_TO_END)

    def _run(self, job: Job) -> None:
        result: Any = None
        error: BaseException | None = None
        try:
            result = self._result(job)
        except BaseException as raised:  # SystemExit as well: it ends the job, not the thread
            error = raised
        with self._lock:
            self._job = None
            self.slot.spare()  # a kill that came too late must not hit the next job
            doom = self._doom
        ran = time.monotonic() - self._since
        died = isinstance(error, ProcessDied)
        if died:
            self._tasks = 0
        if not self._ended(job, ran):
            return
        if error is None:
            self._sink.done(job, result)
        elif not died:
            self._sink.failed(job, error)
        elif doom is Doom.CANCEL:
            self._sink.cancelled(job)
        elif doom is Doom.STOP:
            self._sink.returned(job)
        elif doom is Doom.TIMEOUT:
            self._sink.failed(job, TaskTimeout(f"{job.kind}: expected to end within {job.timeout:g} s, got killed"))
        elif doom is Doom.MEMORY:
            text = f"{job.kind}: expected at most {self._limit(job)} bytes of memory, got {self._used}"
            self._sink.failed(job, MemoryExceeded(text))
        else:
            self._sink.failed(job, TaskLost(str(error)), lost=True)

    def _result(self, job: Job) -> Any:
        if self._max_tasks is not None and self._tasks >= self._max_tasks:
            self.slot.hang_up()
            self.slot.join(_SECONDS_TO_END)
            self._tasks = 0
        self._since = time.monotonic()
        if not self.slot.alive():
            self._tasks = 0
            self._deadline = self._since + _START
            self._look(self._deadline)
        self._tasks += 1
        arguments = (job.task, job.kind, job.payload, job.id, job.attempt, job.task.codec, job.timeout is not None)
        return self.slot.call(run_task, arguments, ready=self._begin, told=self._told, name=job.kind)

    def _begin(self) -> None:
        """The child is there and will have the job in a moment."""
        job = self._job
        assert job is not None
        self._since = now = time.monotonic()
        if job.timeout is None:
            self._deadline = None
        else:
            self._deadline = now + _START  # until it says that it has what it needs: see `run_task`
        self._ready = True
        self._look(now + (_LOOK if self._limit(job) is None else _LOOK_AT_MEMORY))

    def _told(self, word: tuple[str, int, float | None, str] | None) -> None:
        job = self._job
        if word is None:
            assert job is not None
            assert job.timeout is not None
            self._since = now = time.monotonic()
            self._deadline = now + job.timeout
            self._look(self._deadline)
            return
        id, attempt, fraction, note = word
        if job is not None and (id, attempt) == (job.id, job.attempt):  # else from a thread that an earlier job left
            self._sink.progress(job, fraction, note)

    def _limit(self, job: Job) -> int | None:
        own: int | None = job.task.memory_limit
        return self._memory_limit if own is None else own


def _memory_of(pid: int | None) -> int:
    """Return the bytes that a process holds in RAM; 0 if it is gone."""
    import psutil

    try:
        return 0 if pid is None else int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0
