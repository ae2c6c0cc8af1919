"""Forked children: no flights of threads that are not there, fresh locks, and caches that are whole."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")

Make = Callable[..., Any]


def in_child(act: Callable[[], object]) -> bool:
    """Whether `act` ends with True in a forked child, in time."""
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        code = 1
        try:
            code = 0 if act() is True else 1
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


def test_a_child_computes_what_a_thread_of_its_parent_was_computing(make: Make) -> None:
    cache = make("TTLCache", 10, 60)
    begun, go = threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        go.wait(20)
        return "of the parent"

    thread = threading.Thread(target=lambda: cache.get_or_compute("k", slow))
    thread.start()
    begun.wait(20)
    try:
        assert in_child(lambda: cache.get_or_compute("k", lambda: "of the child") == "of the child")
        assert in_child(
            lambda: asyncio.run(cache.aget_or_compute("k", lambda: "of the child's loop")) == "of the child's loop"
        )
    finally:
        go.set()
        thread.join(20)
    assert cache.peek("k") == "of the parent"


def test_a_child_forked_by_the_computation_continues(make: Make) -> None:
    cache = make("LRUCache", 10)

    def forking() -> bool:
        return in_child(lambda: cache.get_or_compute("other", lambda: True))

    assert cache.get_or_compute("k", forking) is True
    assert cache.peek("k") is True


def test_a_child_forked_while_another_thread_is_in_the_section(make: Make, backend: str) -> None:
    if backend == "compiled":
        pytest.skip("the compiled twin has no lock")
    cache = make("TTLCache", 10, 60)
    cache.update({n: n for n in range(5)})
    inside, go = threading.Event(), threading.Event()

    def stay() -> None:
        with cache._section:
            half, _ = cache._entry("half written")
            cache._order[id(half)] = half
            cache._order.popitem(last=False)  # half removed
            inside.set()
            go.wait(20)
            cache._order.pop(id(half))
            cache._unindex(half)
            cache._repair()

    thread = threading.Thread(target=stay)
    thread.start()
    inside.wait(20)

    def use() -> bool:
        cache["new"] = 1
        cache._check()
        return sorted(cache, key=str) == [1, 2, 3, 4, "new"] and cache.get("half written") is None

    try:
        assert in_child(use)
    finally:
        go.set()
        thread.join(20)
