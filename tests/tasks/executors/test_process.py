"""Process slots: a death, a deadline, a limit or a cancellation costs one task, and the order of the queue holds."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from fastcore.tasks import State, TaskQueue
from fastcore.tasks.executors.process.child_process import TaskProcess
from fastcore.tasks.executors.process.executor import ProcessExecutor
from tests.tasks.executors import process_jobs as jobs
from tests.tasks.executors.process_queue import MINUTE, gone, lines, program, queues_made  # noqa: F401
from tests.waiting import until

pytestmark = pytest.mark.backend_independent


def run(queue: TaskQueue, fn: Any, *args: Any, retries: int = 0, **options: Any) -> Any:
    """Submit a call and return its view once it has ended."""
    task = queue.tasks.get(fn.__name__) or queue.task(fn, on="process", retries=retries, **options)
    id = queue.submit(task, *args)
    return until(lambda: (view := queue.status(id)).ended and view)


# ---- what runs there ----


@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_arguments_and_results_round_trip(make: Any, tmp_path: Path, store: str) -> None:
    queue = make(store="memory" if store == "memory" else f"sqlite:///{tmp_path / 'tasks.db'}")
    square = queue.task(jobs.square, on="process")
    assert queue.result(queue.submit(square, 5, plus=1), timeout=MINUTE) == 26
    came = queue.result(queue.submit(square, np.arange(3.0)), timeout=MINUTE)
    np.testing.assert_array_equal(came, [0.0, 1.0, 4.0])
    assert queue.result(queue.submit(queue.task(jobs.pid, on="process")), timeout=MINUTE) != os.getpid()


def test_a_task_can_read_its_own_id(make: Any) -> None:
    view = run(make(), jobs.who)
    assert tuple(view.result) == (view.id, "who", 1)


def test_errors_come_with_their_traceback(make: Any) -> None:
    view = run(make(), jobs.fail, 7)
    assert (view.state, view.error.type, view.error.text) == (State.FAILED, "LookupError", "no 7")
    assert "in fail" in view.error.trace
    assert "raised in a process of a task queue" in view.error.trace


def test_unpicklable_values_fail_only_their_task(make: Any) -> None:
    queue = make()
    assert "expected a result that can be pickled, got lock" in run(queue, jobs.unpicklable).error.text
    assert run(queue, jobs.leave, 3).error.text == "SystemExit: 3"
    before = run(queue, jobs.pid).result
    assert run(queue, jobs.pid).result == before


def test_progress_is_seen_while_it_runs(make: Any, tmp_path: Path) -> None:
    queue = make()
    id = queue.submit(queue.task(jobs.steps, on="process"), str(tmp_path / "go"))
    for n in range(1, 4):
        until(lambda n=n: (view := queue.status(id)).progress == n / 4 and view.note == f"step {n}")
        (tmp_path / f"go{n}").touch()
    assert queue.result(id, timeout=MINUTE) == "there"


def test_frequent_progress_is_thinned_and_the_last_report_kept(make: Any) -> None:
    queue = make()
    view = run(queue, jobs.chatter, 20_000)
    assert view.state is State.SUCCEEDED
    until(lambda: (last := queue.status(view.id)).progress is None or last.note == "last" or last.version < 100)
    assert queue.status(view.id).version < 1000


def test_a_report_soon_after_another_arrives_while_the_task_runs(make: Any, tmp_path: Path) -> None:
    queue = make()
    id = queue.submit(queue.task(jobs.two_reports, on="process"), str(tmp_path / "go"))
    until(lambda: queue.status(id).note == "second")
    (tmp_path / "go").touch()
    assert queue.result(id, timeout=MINUTE) is None


# ---- deaths ----


def test_a_death_counts_as_an_attempt_and_a_retry_runs_on_another_child(make: Any, tmp_path: Path) -> None:
    queue = make()
    before = run(queue, jobs.pid).result
    view = run(queue, jobs.die_once, str(tmp_path / "died"), retries=1)
    assert (view.state, view.result, view.attempt) == (State.SUCCEEDED, "survived", 2)
    assert run(queue, jobs.pid).result != before


def test_a_task_that_kills_every_child_becomes_a_dead_letter(make: Any) -> None:
    view = run(make(), jobs.die, retries=2)
    assert (view.state, view.attempt) == (State.DEAD, 3)
    assert view.error.type == "fastcore.tasks.errors.TaskLost"
    assert "to return from die, got its " in view.error.text


def test_a_dead_child_fails_the_running_task_and_no_other(make: Any, tmp_path: Path) -> None:
    queue = make(2)
    nap = queue.task(jobs.note_and_nap, on="process", retries=0)
    die = queue.task(jobs.die, on="process", retries=0)
    marks = tmp_path / "marks"
    ids = queue.submit_many([(nap, (str(marks), str(n), 0.02)) for n in range(20)])
    ids[10:10] = [queue.submit(die)]
    until(lambda: all(queue.status(id).ended for id in ids))
    states = [queue.status(id).state for id in ids]
    assert states.pop(10) is State.DEAD
    assert set(states) == {State.SUCCEEDED}
    assert sorted(map(int, lines(marks))) == list(range(20))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_death_is_seen_though_a_fork_holds_the_pipe(make: Any, tmp_path: Path) -> None:
    queue = make()
    view = run(queue, jobs.fork_and_die, str(tmp_path / "forked"))
    try:
        assert view.state is State.DEAD
    finally:
        psutil.Process(int((tmp_path / "forked").read_text())).kill()
    assert run(queue, jobs.square, 3).result == 9


def test_a_child_is_replaced_after_its_tasks(make: Any) -> None:
    queue = make(max_tasks_per_child=3)
    pids = [run(queue, jobs.pid).result for _ in range(7)]
    assert pids[0] == pids[1] == pids[2] != pids[3] == pids[4] == pids[5] != pids[6]
    until(lambda: gone(pids[0]))


def test_killed_slots_lose_no_task(make: Any, tmp_path: Path) -> None:
    """The crash test in small; `tools/slot_crash.py` kills for longer."""
    queue = make(2)
    marks = tmp_path / "marks"
    work = queue.task(jobs.note_and_nap, on="process", retries=5)
    ids = queue.submit_many([(work, (str(marks), str(n), 0.01)) for n in range(150)])
    kills = 0
    while not all(queue.status(id).ended for id in ids) and kills < 4:
        already = len(lines(marks))
        until(lambda already=already: len(lines(marks)) > already or all(queue.status(i).ended for i in ids))
        for child in psutil.Process().children():
            try:
                if child.name().startswith("python") and "spawn_main" in " ".join(child.cmdline()):
                    child.kill()
                    kills += 1
                    break
            except psutil.Error:  # it died a moment ago
                continue
    assert kills > 1
    until(lambda: all(queue.status(id).ended for id in ids))
    assert {queue.status(id).state for id in ids} == {State.SUCCEEDED}
    runs = lines(marks)
    assert set(map(int, runs)) == set(range(150))
    assert len(runs) - 150 <= kills


@pytest.mark.parametrize(
    ("how", "text"),
    [
        (jobs.exit_at_once, "got its end with exit code 7"),
        (jobs.fault, "got its death by SIG"),
        (jobs.close_everything, "to return from close_everything, got "),
        pytest.param(
            jobs.write_to_the_pipe,
            "expected an answer to write_to_the_pipe, got ",
            marks=pytest.mark.skipif(sys.platform == "win32", reason="its pipes are no descriptors"),
        ),
    ],
)
def test_a_misbehaving_child_costs_only_its_task(make: Any, how: Callable[..., Any], text: str) -> None:
    queue = make()
    square = queue.task(jobs.square, on="process", retries=0)
    assert queue.result(queue.submit(square, 2), timeout=MINUTE) == 4
    bad = queue.submit(queue.task(how, on="process", retries=0))
    good = queue.submit_many([(square, (n,)) for n in range(20)])
    error = until(lambda: queue.status(bad).error)
    assert (error.type, queue.status(bad).state) == ("fastcore.tasks.errors.TaskLost", State.DEAD)
    assert text in error.text
    assert [queue.result(id, timeout=MINUTE) for id in good] == [n * n for n in range(20)]


def test_output_printed_by_a_task_is_not_read_as_a_reply(make: Any) -> None:
    assert run(make(), jobs.print_bytes).result == "printed"


# ---- bounds ----


def test_a_timeout_kills_the_child_and_the_slot_continues(make: Any) -> None:
    queue = make()
    before = run(queue, jobs.pid).result
    view = run(queue, jobs.nap, 600, timeout=0.3)
    assert (view.state, view.error.type) == (State.FAILED, "fastcore.tasks.errors.TaskTimeout")
    assert view.error.text == "nap: expected to end within 0.3 s, got killed"
    assert view.finished_at - view.started_at >= 0.3 - time.get_clock_info("time").resolution
    assert run(queue, jobs.pid).result != before
    assert gone(before)


def test_a_timeout_counts_from_when_the_child_has_its_modules(make: Any, tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "slow_to_import.py").write_text(
        "import time, multiprocessing\n"
        "if multiprocessing.parent_process(): time.sleep(3)\n"
        "def quick(): return 'quick'\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import slow_to_import  # type: ignore[import-not-found]

    assert run(make(), slow_to_import.quick, timeout=2.5).result == "quick"


def test_a_memory_limit_ends_the_task_that_passes_it(make: Any) -> None:
    queue = make(2, memory_limit=400 << 20)
    view = run(queue, jobs.hold, 500)
    assert (view.state, view.error.type) == (State.FAILED, "fastcore.tasks.executors.process.worker.MemoryExceeded")
    assert view.error.text.startswith(f"hold: expected at most {400 << 20} bytes of memory, got ")
    own = queue.task(jobs.hold, on="process", name="own", memory_limit=200 << 20, retries=0)
    id = queue.submit(own, 250)
    error = until(lambda: queue.status(id).error)
    assert f"own: expected at most {200 << 20} bytes" in error.text


def test_cancelling_ends_a_running_task_within_a_second(make: Any, tmp_path: Path) -> None:
    queue = make()
    id = queue.submit(queue.task(jobs.report_and_sleep, on="process"), str(tmp_path / "pid"))
    pid = int(until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))
    queue.cancel(id)
    until(lambda: queue.status(id).ended)
    view = queue.status(id)
    assert view.state is State.CANCELLED
    assert gone(pid)
    assert run(queue, jobs.square, 2).result == 4


def test_a_prefetched_task_can_be_cancelled_and_never_runs(tmp_path: Path) -> None:
    async def main() -> None:
        executor = ProcessExecutor(1, lookahead=5.0)
        executor._mean = 0.001  # as after many short tasks
        queue = TaskQueue(executors={"process": executor}, drain=0.2)
        blocker = queue.task(jobs.report_and_sleep, on="process")
        mark = queue.task(jobs.note, on="process")
        async with queue:
            first = queue.submit(blocker, str(tmp_path / "pid"))
            while not (tmp_path / "pid").exists():
                await asyncio.sleep(0.01)
            second = queue.submit(mark, str(tmp_path / "marks"), "second")
            while queue.status(second).state is not State.RUNNING:
                await asyncio.sleep(0.01)
            queue.cancel(second)
            assert (await queue.wait(second, MINUTE)).state is State.CANCELLED
            queue.cancel(first)
            assert (await queue.wait(first, MINUTE)).state is State.CANCELLED
        assert not (tmp_path / "marks").exists()

    asyncio.run(main())


# ---- order ----


def test_the_order_of_the_queue_is_the_order_of_the_slots(make: Any, tmp_path: Path) -> None:
    queue = make(1)
    marks = str(tmp_path / "marks")
    note = queue.task(jobs.note, on="process")
    block = queue.task(jobs.steps, on="process", priority=0)
    id = queue.submit(block, str(tmp_path / "go"))
    until(lambda: queue.status(id).state is State.RUNNING)
    for priority in (9, 5, 7, 0, 5):
        queue.submit(note.configure(priority=priority), marks, str(priority))
    for n in range(1, 4):
        (tmp_path / f"go{n}").touch()
    until(lambda: len(lines(Path(marks))) == 5)
    assert lines(Path(marks)) == ["0", "5", "5", "7", "9"]


def test_tasks_are_prefetched_only_once_known_to_be_short() -> None:
    async def main() -> None:
        executor = ProcessExecutor(2)
        await executor.start(None)  # type: ignore[arg-type]
        assert executor.free() == 2
        executor._mean = 0.001
        assert executor.free() == 2 + 2 * 20
        executor._mean = 1e-6
        assert executor.free() == 2 + 2 * 32
        executor._mean = 0.02
        assert executor.free() == 2
        strict = ProcessExecutor(2, lookahead=0)
        await strict.start(None)  # type: ignore[arg-type]
        strict._mean = 1e-6
        assert strict.free() == 2

    asyncio.run(main())


def test_prefetched_tasks_are_returned_behind_long_ones(tmp_path: Path) -> None:
    async def main() -> None:
        executor = ProcessExecutor(1)
        executor._mean = 0.001
        queue = TaskQueue(executors={"process": executor}, drain=0.2)
        blocker = queue.task(jobs.report_and_sleep, on="process")
        mark = queue.task(jobs.note, on="process", retries=0)
        async with queue:
            first = queue.submit(blocker, str(tmp_path / "pid"))
            ids = [queue.submit(mark, str(tmp_path / "marks"), str(n)) for n in range(3)]
            while not (tmp_path / "pid").exists() or any(queue.status(id).state is not State.QUEUED for id in ids):
                await asyncio.sleep(0.01)
            assert executor.free() == 0
            urgent = queue.submit(mark.configure(priority=0), str(tmp_path / "marks"), "urgent")
            queue.cancel(first)
            for id in (*ids, urgent):
                view = await queue.wait(id, MINUTE)
                assert (view.state, view.attempt) == (State.SUCCEEDED, 1)
        assert lines(tmp_path / "marks") == ["urgent", "0", "1", "2"]

    asyncio.run(main())


# ---- the end ----


def test_without_sockets_that_keep_messages_apart_they_take_the_pipe(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TaskProcess, "deep", False)
    queue = make()
    square, die, long = (
        queue.task(fn, on="process", retries=0) for fn in (jobs.square, jobs.die, jobs.report_and_sleep)
    )
    ids = queue.submit_many([(square, (n,)) for n in range(20)])
    assert [queue.result(id, timeout=MINUTE) for id in ids] == [n * n for n in range(20)]
    died = queue.submit(die)
    assert until(lambda: (view := queue.status(died)).ended and view).state is State.DEAD
    running = queue.submit(long, str(tmp_path / "pid"))
    until((tmp_path / "pid").exists)
    queue.cancel(running)
    assert until(lambda: (view := queue.status(running)).ended and view).state is State.CANCELLED
    assert queue.result(queue.submit(square, 7), timeout=MINUTE) == 49


def test_stopping_returns_running_tasks_and_their_attempts(make: Any, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'tasks.db'}"
    queue = TaskQueue(store, executors={"process": ProcessExecutor(1)}, drain=0.2).start()
    task = queue.task(jobs.report_and_sleep, on="process", name="long", retries=0)
    id = queue.submit(task, str(tmp_path / "pid"))
    pid = int(until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))
    queue.stop()
    assert gone(pid)
    queue.close()
    again = TaskQueue(store)
    view = again.status(id)
    assert (view.state, view.attempt) == (State.QUEUED, 0)
    again.close()


def test_a_program_that_ends_without_stopping_leaves_no_child(tmp_path: Path) -> None:
    done = program(
        tmp_path,
        """
        import time
        from fastcore.tasks import TaskQueue
        from tests.tasks.executors import process_jobs as jobs
        if __name__ == "__main__":
            queue = TaskQueue(workers={"process": 2}).start()
            pid = queue.task(jobs.pid, on="process")
            print(queue.result(queue.submit(pid), timeout=60), flush=True)
            nap = queue.task(jobs.nap, on="process")
            id = queue.submit(nap, 600)
            while queue.status(id).state != "running": time.sleep(0.01)
        """,
    )
    assert (done.returncode, done.stderr) == (0, "")
    until(lambda: gone(int(done.stdout)))


def test_tasks_of_a_main_module_with_its_queue_at_the_top(tmp_path: Path) -> None:
    done = program(
        tmp_path,
        """
        from fastcore.tasks import TaskQueue
        queue = TaskQueue("sqlite:///tasks.db", workers={"process": 1})

        @queue.task(on="process")
        def double(n): return 2 * n

        if __name__ == "__main__":
            with_children = queue.start()
            print(queue.result(queue.submit(double, 21), timeout=60))
            queue.stop()
            queue.close()
        """,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")


def test_a_main_module_without_its_guard_raises_a_clear_error(tmp_path: Path) -> None:
    done = program(
        tmp_path,
        """
        import time
        from fastcore.tasks import TaskQueue
        from tests.tasks.executors import process_jobs as jobs
        queue = TaskQueue(workers={"process": 1}).start()
        id = queue.submit(queue.task(jobs.pid, on="process", retries=0))
        while not queue.status(id).ended: time.sleep(0.01)
        print(queue.status(id).error.text)
        queue.stop()
        """,
    )
    assert "if __name__ == '__main__':" in done.stdout  # the hint comes from fastcore or multiprocessing


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"size": 0}, ValueError, "size: expected an int >= 1, got 0"),
        ({"max_tasks_per_child": 0}, ValueError, "max_tasks_per_child: expected an int >= 1, got 0"),
        ({"memory_limit": "1G"}, TypeError, "memory_limit: expected an int >= 1, got str"),
        ({"lookahead": -1}, ValueError, "lookahead: expected a finite number >= 0, got -1"),
    ],
)
def test_wrong_options_are_refused(options: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=f"^{text}$"):
        ProcessExecutor(**options)
