"""Programs that end without stopping their queue: they print nothing, and leave no child behind."""

from __future__ import annotations

import multiprocessing
import textwrap
import threading
from pathlib import Path

import pytest

from fastcore.concurrency.child_process import ProcessDied
from fastcore.tasks.executors.process.child_process import TaskProcess
from tests.tasks.executors.process_queue import program
from tests.waiting import until

PROGRAM = """
    import asyncio, sys, threading, time
    from fastcore.tasks import TaskQueue, progress
    from tests.tasks.executors import process_jobs as jobs

    async def a_coroutine(seconds):
        for n in range(100_000): progress(n / 1e5); await asyncio.sleep(0.001)

    def a_thread(seconds):
        for n in range(100_000): progress(n / 1e5); time.sleep(0.001)

    if __name__ == "__main__":
        queue = TaskQueue({store!r}).start()
        task = queue.task({function}, name="task", on={on!r})
        queue.schedule(task, 600, every=0.01, name="often")
        id = queue.submit(task, 600)
        threading.Thread(target=queue.result, args=(id, 600), daemon=True).start()
        while {wait} and queue.status(id).state != "running": time.sleep(0.01)
"""


@pytest.mark.parametrize("wait", [True, False], ids=["running", "about to start"])
@pytest.mark.parametrize(
    ("on", "function"), [("async", "a_coroutine"), ("thread", "a_thread"), ("process", "jobs.nap")]
)
@pytest.mark.parametrize("store", ["memory", "sqlite:///tasks.db"], ids=["memory", "sqlite"])
def test_a_program_with_a_busy_queue_exits_without_output(
    tmp_path: Path, store: str, on: str, function: str, wait: bool
) -> None:
    done = program(tmp_path, textwrap.dedent(PROGRAM).format(store=store, on=on, function=function, wait=wait))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_slot_does_not_use_its_child_after_it_was_left() -> None:
    """At exit multiprocessing joins the children: a Process that two threads join says it still runs, and raises."""
    slot = TaskProcess("a test")
    slot.open("task")
    [child] = [one for one in multiprocessing.active_children() if one.pid == slot.pid]

    def wait() -> None:
        with pytest.raises(EOFError):
            slot.answers()

    waiting = threading.Thread(target=wait)
    waiting.start()
    slot.kill()
    slot.leave()
    waiting.join(60)
    assert "got its pipe closed" in str(slot.death("to answer"))  # not how it ended: that would be to look
    slot.join(60)
    child.join(60)  # which the slot has neither joined nor closed
    assert child.exitcode == -9
    slot.spare()
    with pytest.raises(ProcessDied, match="got the call withdrawn"):
        slot.open("task")
    until(lambda: child not in multiprocessing.active_children())
