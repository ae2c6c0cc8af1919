"""Keys of a queue's tasks: unique ones hold one live task, idempotent ones speak of one call."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from fastcore.tasks import (
    IdempotencyConflict,
    TaskQueue,
)
from tests.tasks.queue_cases import LONG, run


class TestKeys:
    def test_a_unique_task_is_stored_once_per_arguments(self, make: Callable[..., TaskQueue]) -> None:
        queue = make()

        @queue.task(unique=True)
        async def work(a: int, b: int = 2) -> int:
            return a + b

        first = queue.submit(work, 1)
        assert queue.submit(work, 1) == queue.submit(work, a=1, b=2) == first
        assert queue.submit(work, 2) != first
        assert queue.submit(work.configure(unique=lambda a, b=2: "same"), 8) == queue.submit(
            work.configure(unique=lambda a, b=2: "same"), 9
        )
        assert queue.submit(work.configure(unique=False), 1) != first
        with pytest.raises(TypeError, match="unique: expected work's to return a str, got int"):
            queue.submit(work.configure(unique=lambda a: 1), 1)

    def test_a_key_is_held_until_its_task_ends(self, make: Callable[..., TaskQueue]) -> None:
        queue = make()

        @queue.task
        async def work(n: int) -> int:
            return n

        async def scenario() -> None:
            keyed = work.configure(unique_key="k")
            first = queue.submit(keyed, 1)
            assert await queue.asubmit(keyed, 2) == first
            async with queue:
                assert await queue.aresult(first, LONG) == 1
                assert await queue.asubmit(keyed, 2) != first

        run(scenario)


class TestIdempotency:
    @pytest.mark.parametrize(
        ("task", "args", "kwargs", "same"),
        [
            ("pay", ("AAPL",), {}, True),
            ("pay", (), {"symbol": "AAPL"}, True),
            ("pay", ("AAPL", 1), {}, True),  # its default
            ("pay", ("AAPL", 2), {}, False),
            ("pay", ("MSFT",), {}, False),
            ("refund", ("AAPL",), {}, False),
        ],
    )
    def test_a_key_is_of_one_call(
        self, make: Callable[..., TaskQueue], task: str, args: tuple[Any, ...], kwargs: dict[str, Any], same: bool
    ) -> None:
        queue = make()

        @queue.task
        def pay(symbol: str, n: int = 1) -> None: ...

        @queue.task
        def refund(symbol: str, n: int = 1) -> None: ...

        first = queue.submit(pay.configure(idempotency_key="k"), "AAPL")
        again = queue.tasks[task].configure(idempotency_key="k", priority=1)
        if same:
            assert queue.submit(again, *args, **kwargs) == first
            return
        with pytest.raises(IdempotencyConflict, match="idempotency_key: expected the call of task") as caught:
            queue.submit(again, *args, **kwargs)
        assert caught.value.id == first

    def test_an_explicit_fingerprint_is_compared(self, make: Callable[..., TaskQueue]) -> None:
        queue = make()

        @queue.task
        def pay(symbol: str, asked_at: float) -> None: ...

        task = pay.configure(idempotency_key="k", fingerprint="AAPL")
        assert queue.submit(task, "AAPL", 1.0) == queue.submit(task, "AAPL", 2.0)

    def test_arguments_are_compared_as_values(self, make: Callable[..., TaskQueue]) -> None:
        queue = make()

        @queue.task
        def crawl(symbols: Any) -> None: ...

        for n, (one, equal, other) in enumerate(
            [
                ({"a": 1, "b": [2]}, {"b": [2], "a": 1}, {"a": 1, "b": [3]}),
                ({"z", "y", "x"}, {"x", "y", "z"}, {"x", "y"}),
                ([{"a": 1, "b": 2}], [{"b": 2, "a": 1}], ({"a": 1, "b": 2},)),
            ]
        ):
            keyed = crawl.configure(idempotency_key=str(n))
            assert queue.submit(keyed, one) == queue.submit(keyed, equal)
            with pytest.raises(IdempotencyConflict):
                queue.submit(keyed, other)

    def test_arguments_that_only_the_memory_store_accepts(self) -> None:
        queue = TaskQueue()

        @queue.task
        def call(fn: Any) -> None: ...

        lock = threading.Lock()
        keyed = call.configure(idempotency_key="k")
        assert queue.submit(keyed, lock) == queue.submit(keyed, lock)
        with pytest.raises(IdempotencyConflict):
            queue.submit(keyed, threading.Lock())
