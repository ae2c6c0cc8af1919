"""A worker: one child process, the thread that waits on it, and what it was killed for."""

from __future__ import annotations

import enum
import pickle
import threading
import time
from collections import deque
from typing import Any

from fastcore.tasks.engine.job import Job
from fastcore.tasks.errors import TaskLost, TaskTimeout
from fastcore.tasks.executors.process.child_main import NUDGED, message
from fastcore.tasks.executors.process.child_process import TaskProcess
from fastcore.tasks.ports import Sink

__all__ = ["Doom", "MemoryExceeded", "Removal", "Scheduler", "Worker"]

_START = 120.0  # seconds for a child to start, which imports the main module
_LOOK = 1.0  # seconds between looks at a child that runs without bounds
_LOOK_AT_MEMORY = 0.1
_SECONDS_TO_END = 2.0
_MOST_LAST_WORDS = 0.5  # seconds from a child's death to the end of what is in the pipe
_LONGEST_NAP = 0.005  # seconds for which answers are left to gather, while the child has more to do


class MemoryExceeded(MemoryError):
    """An attempt used more memory than its limit, and was ended."""


class Doom(enum.Enum):
    """Why a child is killed."""

    CANCEL = "cancel"
    STOP = "stop"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    START = "start"


class Removal(enum.Enum):
    """What became of asking for a job's end."""

    KILLED = "killed"
    """Its child is killed, and the sink told then."""
    NEVER_BEGAN = "never began"
    """It is not on the worker any more; the sink is the caller's to tell."""
    ABSENT = "absent"
    """It is not here, or has ended."""


class Scheduler:
    """The executor, as workers see it."""

    max_tasks_per_child: int | None
    memory_limit: int | None

    def take(self, worker: Worker, wait: bool) -> Job | None:
        """Return a job, assigned to the worker; None if there is none, or with `wait` to end the worker's thread."""
        raise NotImplementedError

    def depth(self) -> int:
        """Return how many jobs a worker is to have at hand."""
        raise NotImplementedError

    def seconds(self) -> float:
        """Return the expected seconds of a job."""
        raise NotImplementedError

    def look_at(self, when: float) -> None:
        """Have the workers inspected at a time of the monotonic clock."""
        raise NotImplementedError

    def ended(self, job: Job, ran: float | None) -> bool:
        """Record the end of a job and its seconds; False if the sink must not be notified."""
        raise NotImplementedError

    def head(self, job: Job) -> bytes:
        """Return the part of the message that all attempts of the job's task share."""
        raise NotImplementedError


class Worker:
    """A child process and its jobs.

    Its jobs are those that the child was handed, and then at most one that it will be in a moment. Of those handed over
    the child has begun the first, or the first few: those before the last of them have ended, and their answers are on
    the way.
    """

    def __init__(self, sink: Sink, scheduler: Scheduler) -> None:
        self.child = TaskProcess("a task queue")
        self._sink = sink
        self._scheduler = scheduler
        self._tasks = 0  # that the present child answered
        self._lock = threading.Lock()  # held while jobs come and go, and while the child is killed
        self._jobs: deque[Job] = deque()
        self._posted = 0  # of them
        self._doomed: Job | None = None
        self._doom = Doom.START
        self._used = 0  # bytes, when the limit was passed
        self._deadline: float | None = None  # of the first job, or before that of the child's start
        self._ready = False
        self._dead_since: float | None = None
        # A daemon, as a child that does not answer must not keep the program from ending.
        self.thread = threading.Thread(target=self._work, name="fastcore-task-process", daemon=True)

    # ---- from other threads ----

    def assign(self, job: Job) -> None:
        """Assign a job; from then on `kill` reaches it."""
        with self._lock:
            self._jobs.append(job)

    def kill(self, job: Job, doom: Doom) -> Removal:
        """End a job: by killing the child if that has begun it, and then no other job dies with it."""
        with self._lock:
            if job not in self._jobs:
                return Removal.ABSENT
            at = self._jobs.index(job)
            self._withdraw()  # so that it begins nothing else meanwhile
            if at >= self._posted:
                if doom is Doom.CANCEL:
                    self._jobs.remove(job)
                    return Removal.NEVER_BEGAN
                return Removal.ABSENT
            if at < self._posted - 1:  # it has ended, as a later one was begun
                return Removal.ABSENT
            if self._doomed is None:
                self._doomed, self._doom = job, doom
            self.child.kill()
            return Removal.KILLED

    def recall(self) -> list[Job]:
        """Take back the jobs that the child has not begun, except the first."""
        with self._lock:
            self._withdraw()
            return self._recalled(max(1, self._posted))

    def waiting(self) -> list[Job]:
        """Return the jobs after the first."""
        with self._lock:
            return list(self._jobs)[1:]

    def stop(self) -> list[Job]:
        """Kill the running job, which is reported as returned; take back and return the others."""
        with self._lock:
            self._withdraw()
            recalled = self._recalled(self._posted)
            if self._posted and self._doomed is None:
                self._doomed, self._doom = self._jobs[-1], Doom.STOP
            if self._posted or recalled:  # else the child is idle; with nothing posted it is about to start
                self.child.kill()
            return recalled

    def leave(self) -> None:
        """End the child: at once if it is busy, by itself if it is idle. For when the program ends."""
        with self._lock:
            busy = bool(self._jobs)
            self._jobs.clear()
            self._posted = 0
        if busy:
            self.child.kill()
        else:
            self.child.hang_up()
        self.child.leave()

    def inspect(self, now: float) -> float | None:
        """Kill a job past its limits; return when to look again, None if no job runs."""
        with self._lock:
            if not self._jobs:
                return None
            job, deadline, ready = self._jobs[0], self._deadline, self._ready
        if not (ready and self.child.dead()):
            self._dead_since = None
        elif self._dead_since is None:
            self._dead_since = now
        elif now - self._dead_since > _MOST_LAST_WORDS:
            self.child.cut_off()
        if deadline is not None and now >= deadline:
            if ready:
                self.kill(job, Doom.TIMEOUT)
            else:
                self.child.kill()
            return now + _LOOK_AT_MEMORY
        again = now + _LOOK
        limit = self._limit(job)
        if limit is not None and ready:
            again = now + _LOOK_AT_MEMORY
            used = _memory_of(self.child.pid)
            if used > limit:
                self._used = used
                self.kill(job, Doom.MEMORY)
        return again if deadline is None else min(again, deadline)

    def _withdraw(self) -> None:
        number = self.child.withdraw()
        if number:
            self._posted -= number
            self.child.nudge()  # the thread may wait for an answer to what is no longer there

    def _recalled(self, first: int) -> list[Job]:
        recalled = list(self._jobs)[first:]
        for _ in recalled:
            self._jobs.pop()
        return recalled

    # ---- in the thread ----

    def _work(self) -> None:
        while self._fill():
            if self._posted:
                self._hear()
        self.child.hang_up()
        self.child.join(_SECONDS_TO_END)

    def _fill(self) -> bool:
        """Send jobs to the child, waiting for the first; False if there will be none."""
        while True:
            with self._lock:
                job = self._jobs[self._posted] if len(self._jobs) > self._posted else None
                number = len(self._jobs)
            if job is not None:
                if not self._post(job):
                    return True
            elif number == 0:
                if self._room() <= 0:
                    self._replace()
                if self._scheduler.take(self, True) is None:
                    return False
            elif number >= self._room() or self._scheduler.take(self, False) is None:
                return True

    def _room(self) -> int:
        most = self._scheduler.max_tasks_per_child
        depth = self._scheduler.depth()
        return depth if most is None else min(depth, most - self._tasks)

    def _post(self, job: Job) -> bool:
        """Hand over a job that is next; False if there is no room for it yet."""
        try:
            text = message(
                self._scheduler.head(job), job.payload, job.id, job.attempt, job.timeout is not None, job.kind
            )
        except Exception as error:
            self._fail(job, error)
            return True
        if not self._posted and not self._open(job):
            return True
        with self._lock:
            if len(self._jobs) <= self._posted or self._jobs[self._posted] is not job:  # taken off meanwhile
                return True
            if self._doomed is not None:
                return False
            if not self.child.blocks(text):
                if not self.child.post(text):
                    return False
                self._posted += 1
                if self._posted == 1:
                    self._begin()
                return True
            if self._posted:
                return False
            self._posted = 1
            self._begin()
        self.child.post(text)
        return True

    def _open(self, job: Job) -> bool:
        """Start a child if there is none; False if that failed, which fails the job."""
        if self.child.alive():
            return True
        now = time.monotonic()
        with self._lock:
            self._tasks = 0
            self._deadline = now + _START
        self._scheduler.look_at(now + _START)
        try:
            self.child.open(job.kind)
        except Exception as error:  # also of a system that has no room for a process
            self._fail(job, TaskLost(str(error)), lost=True)
            return False
        return True

    def _fail(self, job: Job, error: BaseException, *, lost: bool = False) -> None:
        """Take off a job that was not handed over, if it is still here."""
        with self._lock:
            self._deadline = None
            if job not in self._jobs:
                return
            self._jobs.remove(job)
        if self._scheduler.ended(job, None):
            self._sink.failed(job, error, lost=lost)

    def _begin(self) -> None:
        """The first job is with the child, which has nothing before it; the lock is held."""
        job = self._jobs[0]
        now = time.monotonic()
        self._ready = True
        self._dead_since = None
        self._deadline = None if job.timeout is None else now + _START  # until it has its modules: see `message`
        self._scheduler.look_at(now + (_LOOK if self._limit(job) is None else _LOOK_AT_MEMORY))

    def _hear(self) -> None:
        """Wait for answers and take them."""
        try:
            answers = self.child.answers()
        except (EOFError, OSError):
            self._died()
            return
        except ValueError as error:  # a frame that our code in the child does not write
            self.child.kill()
            self._died(str(error))
            return
        ends: list[tuple[Job, bool, Any]] = []
        for answer in answers:
            try:
                self._take_answer(ends, *_read(answer))
            except (IndexError, TypeError, ValueError) as error:  # an answer to nothing, or no answer
                self.child.kill()
                self._tell(ends)
                self._died(f"{type(error).__name__}: {error}")
                return
        self._tell(ends)
        more = self._posted - 1
        if more > 0:
            time.sleep(min(_LONGEST_NAP, more * self._scheduler.seconds() / 2))

    def _tell(self, ends: list[tuple[Job, bool, Any]]) -> None:
        """Report the outcomes to the sink together, so that its thread wakes once."""
        for job, done, value in ends:
            if done:
                self._sink.done(job, value)
            else:
                self._sink.failed(job, value)

    def _take_answer(
        self, ends: list[tuple[Job, bool, Any]], done: bool | None, value: Any, trace: str, ran: float
    ) -> None:
        if done is None:
            if value != NUDGED:
                self._told(value)
            return
        with self._lock:
            job = self._jobs.popleft()
            self._posted -= 1
            self._tasks += 1
            self.child.answered()
            killed = self._doomed is not None  # too late for this one: no other was begun
            self._doomed = None
            self._ready = False
            self._deadline = None
            if self._posted:
                self._begin()
        if killed:
            self._replace()
        if self._scheduler.ended(job, ran):
            ends.append((job, done, value if done else self.child.noted(value, trace)))

    def _died(self, instead: str | None = None) -> None:
        """Handle a dead child: the job that it had begun is lost, the others were not begun."""
        with self._lock:
            self._posted -= self.child.withdraw()
            # One that dies before it begins anything is not to be replaced forever.
            job = self._jobs.popleft() if self._jobs and (self._posted or not self._tasks) else None
            doomed, doom = self._doomed, self._doom
            self._posted = self._tasks = 0
            self._doomed = self._deadline = None
            self._ready = False
        error = self.child.death("to return from " + ("its task" if job is None else job.kind))
        self._replace()
        if job is None or not self._scheduler.ended(job, None):
            return
        if doomed is not job:
            text = str(error) if instead is None else f"expected an answer to {job.kind}, got {instead}"
            self._sink.failed(job, TaskLost(text), lost=True)
        elif doom is Doom.CANCEL:
            self._sink.cancelled(job)
        elif doom is Doom.STOP:
            self._sink.returned(job)
        elif doom is Doom.TIMEOUT:
            self._sink.failed(job, TaskTimeout(f"{job.kind}: expected to end within {job.timeout:g} s, got killed"))
        else:
            text = f"{job.kind}: expected at most {self._limit(job)} bytes of memory, got {self._used}"
            self._sink.failed(job, MemoryExceeded(text))

    def _replace(self) -> None:
        """End an idle child; the next job starts another."""
        self.child.hang_up()
        self.child.join(_SECONDS_TO_END)
        self.child.spare()
        self._tasks = 0

    def _told(self, word: tuple[str, int, float | None, str] | None) -> None:
        with self._lock:
            job = self._jobs[0] if self._posted else None
            if word is None:
                if job is not None and job.timeout is not None:
                    self._deadline = time.monotonic() + job.timeout
                    self._scheduler.look_at(self._deadline)
                return
        id, attempt, fraction, note = word
        if job is not None and (id, attempt) == (job.id, job.attempt):  # else from a thread that an earlier job left
            self._sink.progress(job, fraction, note)

    def _limit(self, job: Job) -> int | None:
        own: int | None = job.task.memory_limit
        return self._scheduler.memory_limit if own is None else own


def _read(answer: bytes) -> tuple[Any, ...]:
    try:
        found: tuple[Any, ...] = pickle.loads(answer)
    except BaseException as error:  # whatever the value's class does when it is made here
        return False, error, "", 0.0
    return found


def _memory_of(pid: int | None) -> int:
    """Return the bytes that a process holds in RAM; 0 if it has ended."""
    import psutil

    try:
        return 0 if pid is None else int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0
