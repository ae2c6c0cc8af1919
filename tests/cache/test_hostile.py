"""Hostile callers, each in a separate process with a time limit: see ``isolated/``."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import PURE_ONLY

SCRIPT = Path(__file__).parent / "isolated" / "hostile.py"
CALLS = SCRIPT.with_name("hostile_calls.py")
CASES = re.findall(r"@case\ndef (\w+)", CALLS.read_text(encoding="utf-8"))
SOURCES = ("eq", "hash", "del", "key_del", "value_eq", "getsizeof", "timer", "on_evict", "ttu", "popitem", "missing")
ACTIONS = (
    "read",
    "write",
    "remove",
    "clear",
    "resize",
    "iterate",
    "expire",
    "collect",
    "compute",
    "start_over",
    "thread",
    "throw",
)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="each case is a forked process")
@pytest.mark.parametrize("source", SOURCES)
def test_no_code_of_a_caller_breaks_the_cache(backend: str, source: str) -> None:
    kind = "TLRUCache" if source == "ttu" else "TTLCache"
    done = subprocess.run(
        [sys.executable, str(SCRIPT), backend, kind, source, *ACTIONS],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr[-5000:]


@pytest.mark.parametrize("case", CASES)
def test_no_code_of_arguments_or_results_breaks_a_cached_function(backend: str, case: str) -> None:
    if PURE_ONLY and "flag" in case:
        pytest.skip("there is one twin only")
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", str(CALLS), backend, case],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=Path(__file__).parents[2],
    )
    assert (done.stdout, done.stderr, done.returncode) == ("survived\n", "", 0)


def test_bounds_lowered_while_a_key_is_compared_hold(twin: Callable[[str], ModuleType]) -> None:
    LRUCache = twin("cache").LRUCache
    cache, armed = LRUCache(10), []

    class Key:
        def __hash__(self) -> int:
            return 1

        def __eq__(self, other: object) -> bool:
            if armed:
                armed.clear()
                cache.resize(2)
            return self is other

    for _ in range(3):
        cache[Key()] = 1
    armed.append(True)
    with pytest.raises(ValueError, match="value too large"):
        cache.set(Key(), 1, weight=5)
    cache._check()


def test_a_cache_cleared_while_a_key_is_compared_holds_what_is_stored(twin: Callable[[str], ModuleType]) -> None:
    cache, armed = twin("cache").LRUCache(10), []

    class Key:
        def __hash__(self) -> int:
            return 1

        def __eq__(self, other: object) -> bool:
            if armed:
                armed.clear()
                cache.clear()
            return self is other

    cache[Key()] = 1
    armed.append(True)
    key = Key()
    cache[key] = 2
    cache._check()
    assert list(cache.items()) == [(key, 2)]
