"""Calls without end give a RecursionError: whatever the recursion limit is and however small the stack of a thread."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
DEEP, SMALL = "1000000", "256"


def run(backend: str, limit: str, stack: str) -> None:
    command = [sys.executable, "-X", "faulthandler", "recursion.py", limit, stack]
    env = {**os.environ, "FASTCORE_BACKEND": backend}
    done = subprocess.run(command, cwd=HERE, env=env, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr[-3000:]
    assert done.stdout.endswith("survived\n")


def test_by_default(backend: str) -> None:
    run(backend, "1000", "0")


@pytest.mark.parametrize(("limit", "stack"), [("1000", SMALL), (DEEP, "0"), (DEEP, SMALL)])
def test_recursion_in_c_is_bounded_where_the_interpreter_does_not_count_it(limit: str, stack: str) -> None:
    if os.environ.get("FASTCORE_NO_EXTENSIONS") == "1":
        pytest.skip("pure Python is guarded by the interpreter alone")
    run("compiled", limit, stack)


# Calls that run no code of a caller's: errors and entries are made, forks are followed, a waiter is woken.
FIXED = {
    "cache/cached_call.c": 1,
    "cache/types.c": 1,
    "cache/victims.c": 1,
    "common/forks.c": 1,
    "framing/decode.c": 1,
    "framing/functions.c": 1,
    "framing/validate.c": 1,
    "heap/async_priority_queue.c": 2,
    "heap/base.c": 1,
    "heap/priority.c": 1,
    "heap/priority_heap.c": 1,
    "switch/awaitable.c": 1,
}
CALLS = re.compile(
    r"(?<!FC_GUARDED\()(?<!FC_GUARDED_INT\()\b(PyObject_(Call|Vectorcall|RichCompare|Hash|GetIter|GetItem)|PyIter_Next"
    r"|PySequence_(Tuple|List|Contains)|PyNumber_(Index|Float))\w*\("
)


def test_calls_into_python_are_guarded() -> None:
    found = {}
    folder = HERE.parents[1] / "fastcore" / "_ext" / "src"
    for source in folder.rglob("*.c"):
        text = re.sub(r"FC_GUARDED\(\s+", "FC_GUARDED(", source.read_text(encoding="utf-8"))
        calls = list(CALLS.finditer(text))
        found[source.relative_to(folder).as_posix()] = len(calls) - text.count("PyObject_CallFinalizerFromDealloc(")
    assert {name: count for name, count in found.items() if count} == FIXED
