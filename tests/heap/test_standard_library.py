"""The standard library's own tests of its queues, run on ours: where these stand in, they must pass."""

from __future__ import annotations

import asyncio
import queue
import unittest
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

thread_tests = pytest.importorskip("test.test_queue", reason="a Python without its test package")
async_tests = pytest.importorskip("test.test_asyncio.test_queues", reason="a Python without its test package")

# What they ask of details that are documented nowhere: the text of repr, and attributes of the class asyncio.Queue.
DETAILS = {"test_repr", "test_str", "test_format", "test_get_with_putters"}
# One expects first in, first out.
FIFO = {"test_order"}


def run(case: type[unittest.TestCase], leave_out: frozenset[str] = frozenset()) -> None:
    names = [name for name in unittest.TestLoader().getTestCaseNames(case) if name not in DETAILS | leave_out]
    assert names
    result = unittest.TestResult()
    unittest.TestSuite(case(name) for name in names).run(result)
    assert result.testsRun == len(names)
    assert not result.errors, result.errors[0][1]
    assert not result.failures, result.failures[0][1]


def test_queues_of_threads(twin: Callable[[str], ModuleType]) -> None:
    class Case(thread_tests.BaseQueueTestMixin, unittest.TestCase):  # type: ignore[misc,name-defined]
        def setUp(self) -> None:
            self.queue = queue
            self.type2test = twin("heap").PriorityQueue
            super().setUp()

    run(Case)


@pytest.mark.parametrize("name", ["QueueBasicTests", "QueueGetTests", "QueuePutTests", "PriorityQueueJoinTests"])
def test_queues_of_asyncio(twin: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    ours: Any = twin("heap").AsyncPriorityQueue
    monkeypatch.setattr(asyncio, "Queue", ours)
    monkeypatch.setattr(asyncio, "PriorityQueue", ours)
    Case = type(name, (getattr(async_tests, name),), {"q_class": ours})
    run(Case, frozenset(FIFO))
