"""What can be a task on a process: what the process finds under the same name is the same function."""

from __future__ import annotations

import functools
import math
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fastcore.tasks import TaskQueue
from tests.tasks import registered_cases as cases
from tests.tasks.executors.process_queue import MINUTE, program
from tests.tasks.queue_cases import LONG


@pytest.fixture(scope="module")
def queue() -> Iterator[TaskQueue]:
    cases.queue.start()
    yield cases.queue
    cases.queue.stop()


@pytest.mark.parametrize(
    ("name", "args", "result"),
    [
        ("decorated", (4,), 8),
        ("wrapped", (4,), 8),
        ("named", (4,), "Desk 4"),
        ("plus", (4,), 5),
        ("thrice", (4,), 12),
        ("partial", (), 4),
    ],
)
def test_importable_callables_run_unchanged(queue: TaskQueue, name: str, args: Any, result: Any) -> None:
    assert queue.result(queue.submit(name, *args), timeout=MINUTE) == result


def test_a_shadowed_function_is_an_error(queue: TaskQueue) -> None:
    view = queue.waiters.wait(queue.submit("unseen", 4), LONG)
    assert view.error is not None
    assert "unseen: expected <function one at" in view.error.text
    assert "under its name in module tests.tasks.registered_cases, got <function one at" in view.error.text


def local() -> Any:
    def inner() -> None: ...

    return inner


class Holder:
    lock = threading.Lock()

    def __init__(self) -> None:
        self.own = threading.Lock()

    def method(self) -> None: ...

    def __call__(self) -> None: ...


@pytest.mark.parametrize(
    ("fn", "got"),
    [
        (lambda: None, "a lambda"),
        (local(), "one that is defined inside another function"),
        (functools.wraps(local())(lambda: None), "one that is defined inside another function"),
        (Holder().method, "a method of an object"),
        ([].append, "a method of an object"),
        ("text".upper, "a method of an object"),
        (Holder(), "an object that cannot be pickled: TypeError"),
        (functools.partial(lambda: None), "an object that cannot be pickled"),
        (functools.partial(math.hypot, threading.Lock()), "an object that cannot be pickled: TypeError"),
    ],
)
def test_functions_that_a_process_cannot_import_are_refused_at_registration(fn: Any, got: str) -> None:
    queue = TaskQueue()
    text = f"bad: expected a function that a process can import by its name for on='process', got {got}"
    with pytest.raises(TypeError, match=text):
        queue.task(fn, name="bad", on="process")
    assert not queue.tasks
    queue.task(fn, name="bad", on="thread")


def test_a_program_without_a_file_raises_a_clear_error() -> None:
    code = """
from fastcore.tasks import TaskQueue
queue = TaskQueue()
@queue.task(on="process")
def work(): ...
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=LONG, check=False)
    assert "got one of a program that has no file, such as an interactive session" in done.stderr


def test_names_defined_only_in_main_raise_a_clear_error(tmp_path: Path) -> None:
    done = program(
        tmp_path,
        """
        import asyncio
        from fastcore.tasks import TaskQueue
        queue = TaskQueue(workers={"process": 1})

        if __name__ == "__main__":
            @queue.task(on="process", retries=0)
            def late(): ...

            queue.start()
            print(asyncio.run(queue.wait(queue.submit(late), 60)).error.text)
            queue.stop()
        """,
    )
    assert "late: expected late in module __main__ as other processes import it, got no such name" in done.stdout
