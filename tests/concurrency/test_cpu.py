"""run_cpu: both pools, and calls whose process dies or cannot start, or that are cancelled."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import cpu_jobs as jobs
import psutil
import pytest

from fastcore.concurrency import ProcessDied, RemoteError, Retry, run_cpu, shutdown
from fastcore.concurrency.cpu import cpus, processes

HERE = Path(__file__).parent


def on_process(fn: Any, *args: Any) -> Any:
    return asyncio.run(run_cpu(fn, *args, on="process"))


def gone(pid: int) -> bool:
    for _ in range(2000):
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:  # where no init process reaps orphans
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.005)
    return False


async def appears(path: Path) -> int:
    while not path.exists():
        await asyncio.sleep(0.005)
    return int(path.read_text())


# ---- threads ----


def test_a_thread_runs_it_with_the_callers_context() -> None:
    who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")

    async def main() -> tuple[str, int]:
        who.set("caller")
        return await run_cpu(lambda: (who.get(), threading.get_ident()))

    name, thread = asyncio.run(main())
    assert name == "caller"
    assert thread != threading.get_ident()


def test_the_loop_is_not_blocked() -> None:
    async def main() -> None:
        reached = threading.Event()
        call = asyncio.create_task(run_cpu(reached.wait, 20))
        await asyncio.sleep(0)
        reached.set()
        assert await call

    asyncio.run(main())


def test_the_shared_threads_are_as_many_as_the_cpus() -> None:
    lock, inside, most = threading.Lock(), 0, 0

    def work(_: int) -> None:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.002)
        with lock:
            inside -= 1

    async def main() -> None:
        await asyncio.gather(*(run_cpu(work, n) for n in range(40)))

    asyncio.run(main())
    assert most <= cpus()


def test_a_cancelled_call_in_the_queue_never_runs_and_a_running_one_is_left_to_end() -> None:
    async def main() -> None:
        release, ran = threading.Event(), []
        running = [asyncio.create_task(run_cpu(release.wait, 20)) for _ in range(cpus())]
        queued = asyncio.create_task(run_cpu(ran.append, 1))
        await asyncio.sleep(0)
        for task in (queued, running[0]):
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        release.set()
        assert all(await asyncio.gather(*running[1:]))
        await run_cpu(int)
        assert ran == []

    asyncio.run(main())


@pytest.mark.parametrize("on", ["thread", "process"])
def test_stop_iteration_does_not_hang(on: Any) -> None:
    with pytest.raises(RuntimeError, match=r"cpu_jobs\.stop_iteration raised StopIteration"):
        asyncio.run(run_cpu(jobs.stop_iteration, 0, on=on))


# ---- processes ----


def test_a_process_is_another_and_is_used_again() -> None:
    first, second = on_process(jobs.pid), on_process(jobs.pid)
    assert first == second != os.getpid()


def test_errors_of_a_process_have_its_traceback() -> None:
    with pytest.raises(LookupError, match="no 7") as caught:
        on_process(jobs.fail, 7)
    assert caught.value.args == ("no 7",)
    assert "in fail" in caught.value.__notes__[0]
    assert "raised in a process of run_cpu" in caught.value.__notes__[0]


def test_errors_that_cannot_be_pickled_become_remote_errors() -> None:
    with pytest.raises(RemoteError, match=r"^7 in here\n") as caught:
        on_process(jobs.fail_unreadably, 0)
    assert isinstance(caught.value, jobs.Unreadable)


def test_sys_exit_in_a_process_ends_the_call_alone() -> None:
    before = on_process(jobs.pid)
    with pytest.raises(RemoteError, match=r"^SystemExit: 3\n"):
        on_process(jobs.quit_by_exception, 0)
    assert on_process(jobs.pid) == before


def test_unpicklable_arguments_raise_a_clear_error() -> None:
    with pytest.raises(TypeError, match="<lambda>: expected a function and arguments that can be pickled, got "):
        on_process(lambda: 1)
    with pytest.raises(TypeError, match=r"cpu_jobs\.unpicklable: expected a result that can be pickled, got lock: "):
        on_process(jobs.unpicklable, 0)
    assert on_process(jobs.square, 3) == 9


def test_large_arguments_and_results() -> None:
    data = bytes(20 << 20)
    assert on_process(bytes.__add__, data, b"x") == data + b"x"


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_killed_child_is_named_and_replaced() -> None:
    before = on_process(jobs.pid)
    text = f"^expected process {before} to return from cpu_jobs.die, got its death by SIGKILL "
    with pytest.raises(ProcessDied, match=text):
        on_process(jobs.die)
    assert on_process(jobs.pid) != before


def test_an_exit_code_is_reported() -> None:
    with pytest.raises(ProcessDied, match=r"got its end with exit code 5$"):
        on_process(jobs.leave, 5)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_child_killed_while_idle_costs_no_call() -> None:
    victim = on_process(jobs.pid)
    os.kill(victim, signal.SIGKILL)
    child = next(child for child in processes().children if child._process is not None and child._process.pid == victim)
    assert child._process is not None
    child._process.join(20)
    assert on_process(jobs.pid) != victim


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_dead_child_fails_one_call_and_none_with_retry(tmp_path: Path) -> None:
    async def main() -> list[Any]:
        calls = [run_cpu(jobs.die_if, n, on="process") for n in [1, 2, -1, 3, 4, 5, 6]]
        return await asyncio.gather(*calls, return_exceptions=True)

    results = asyncio.run(main())
    assert isinstance(results.pop(2), ProcessDied)
    assert results == [1, 2, 3, 4, 5, 6]
    again = Retry(2, base=0, retry_on=ProcessDied)(partial(run_cpu, on="process"))
    assert asyncio.run(again(jobs.die_once, str(tmp_path / "died"))) == "survived"


def test_cancelling_kills_the_process_that_runs_the_call(tmp_path: Path) -> None:
    async def main() -> int:
        call = asyncio.create_task(run_cpu(jobs.report_and_sleep, str(tmp_path / "pid"), on="process"))
        pid = await appears(tmp_path / "pid")
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        return pid

    assert gone(asyncio.run(main()))
    assert on_process(jobs.square, 4) == 16


def test_cancelling_a_call_in_the_queue_leaves_the_running_ones_alone(tmp_path: Path) -> None:
    async def main() -> None:
        running = [
            asyncio.create_task(run_cpu(jobs.report_and_sleep, str(tmp_path / f"{n}"), on="process"))
            for n in range(cpus())
        ]
        pids = [await appears(tmp_path / f"{n}") for n in range(cpus())]
        queued = asyncio.create_task(run_cpu(jobs.report_and_sleep, str(tmp_path / "queued"), on="process"))
        await asyncio.sleep(0.01)
        queued.cancel()
        with pytest.raises(asyncio.CancelledError):
            await queued
        for pid in pids:
            os.kill(pid, 0)
        for task in running:
            task.cancel()
        await asyncio.wait(running)

    asyncio.run(main())
    assert not (tmp_path / "queued").exists()


def test_a_process_may_use_processes_itself() -> None:
    assert on_process(jobs.nested, 5) == 25


def test_shutdown_ends_the_children_and_the_next_call_starts_new_ones() -> None:
    before = on_process(jobs.pid)
    shutdown()
    assert gone(before)
    assert on_process(jobs.pid) != before


# ---- whole programs ----


def program(tmp_path: Path, body: str) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "program.py"
    file.write_text(textwrap.dedent(body), encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    return subprocess.run([sys.executable, str(file)], capture_output=True, text=True, timeout=60, env=env, check=False)


def test_functions_of_the_main_module_run_and_exit_leaves_nothing(tmp_path: Path) -> None:
    done = program(
        tmp_path,
        """
        import asyncio, os
        from fastcore.concurrency import run_cpu

        def where(): return os.getpid()

        if __name__ == "__main__":
            print(asyncio.run(run_cpu(where, on="process")))
        """,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert gone(int(done.stdout))


def test_a_main_module_without_its_guard_raises_a_clear_error(tmp_path: Path) -> None:
    done = program(
        tmp_path,
        """
        import asyncio
        from cpu_jobs import square
        from fastcore.concurrency import run_cpu
        asyncio.run(run_cpu(square, 3, on="process"))
        """,
    )
    assert done.returncode == 1
    assert "to start; a script's own work belongs under `if __name__ == '__main__':`" in done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_process_has_its_own_pools(tmp_path: Path) -> None:
    done = program(
        tmp_path,
        """
        import asyncio, os, sys, warnings
        from cpu_jobs import pid
        from fastcore.concurrency import run_cpu

        def ask(): return asyncio.run(run_cpu(pid, on="process"))

        if __name__ == "__main__":
            before = ask()
            asyncio.run(run_cpu(int))
            warnings.simplefilter("ignore", DeprecationWarning)  # of forks with threads, which are the point here
            child = os.fork()
            if child == 0:
                assert asyncio.run(run_cpu(int)) == 0
                assert ask() != before
                sys.exit(0)  # with all that is run at exit
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            assert ask() == before
            print("same")
        """,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "same\n", "")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_children_do_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    done = program(
        tmp_path,
        """
        import asyncio, os, signal
        from cpu_jobs import pid
        from fastcore.concurrency import run_cpu

        if __name__ == "__main__":
            print(asyncio.run(run_cpu(pid, on="process")), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    assert done.returncode == -signal.SIGKILL
    assert gone(int(done.stdout))


def test_importing_loads_no_heavy_module() -> None:
    code = (
        "import sys, fastcore; before = set(sys.modules); import fastcore.concurrency\n"
        "assert not any(m.startswith('fastcore.concurrency') or m == 'asyncio' for m in before)\n"
        "print(sorted({'numpy', 'pandas', 'multiprocessing', 'fastcore._ext.cache'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("fn", "on", "kind", "text"),
    [
        (5, "thread", TypeError, "fn: expected a callable, got int"),
        (appears, "thread", TypeError, "fn: expected a plain function, got a coroutine function"),
        (int, "gpu", ValueError, "on: expected one of thread, process, got 'gpu'"),
    ],
)
def test_wrong_arguments_are_refused(fn: Any, on: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=f"^{text}$"):
        asyncio.run(run_cpu(fn, on=on))
