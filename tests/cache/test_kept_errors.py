"""Errors that are kept for a while (`negative_ttl`)."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from fastcore.cache import cached
from tests.cache.conftest import Clock
from tests.cache.counting import counted

pytestmark = pytest.mark.usefixtures("on_backend")


def test_errors_and_none_expire_by_negative_ttl() -> None:
    clock = Clock()

    def compute(x: int) -> Any:
        if x == 0:
            raise LookupError("nothing there")
        return None if x == 1 else x

    function, counter = counted(compute, ttl=100, negative_ttl=5, timer=clock)
    for _ in range(3):
        with pytest.raises(LookupError, match="nothing there"):
            function(0)
        assert function(1) is None
        assert function(2) == 2
    assert counter.calls == 3
    clock.time = 5
    with pytest.raises(LookupError):
        function(0)
    function(1), function(2)
    assert counter.calls == 5


def test_a_kept_error_does_not_grow() -> None:
    function, _ = counted(lambda x: 1 / x, negative_ttl=50)
    depths = []
    for _ in range(5):
        with pytest.raises(ZeroDivisionError) as caught:
            function(0)
        depths.append(len(caught.traceback))
    assert depths[-1] == depths[1]


class Big:
    """Something of which a weak reference can be taken."""


def test_kept_errors_keep_no_locals_context_or_notes(backend: str) -> None:
    alive: list[weakref.ref[Big]] = []

    def local() -> Big:
        big = Big()
        alive.append(weakref.ref(big))
        return big

    @cached(negative_ttl=600)
    def fail(x: int) -> None:
        _big = local()
        raise LookupError(x) from ValueError("cause")

    @cached(negative_ttl=600)
    async def later(x: int) -> None:
        _big = local()
        raise LookupError(x) from ValueError("cause")

    def request(secret: str, call: Callable[[], object]) -> LookupError:
        _frame = local()
        try:
            try:
                raise KeyError(secret)
            except KeyError:
                call()
        except LookupError as error:
            error.add_note(f"note of {secret}")
            return error
        raise AssertionError

    for call in (lambda: fail(1), lambda: asyncio.run(later(1))):
        for secret in ("first", "second", "third"):
            error = request(secret, call)
            assert error.args == (1,)
            assert isinstance(error.__cause__, ValueError)
            notes = [note for note in error.__notes__ if note.startswith("note of")]
            assert notes == [f"note of {secret}"]
            context: BaseException | None = error
            while context is not None:
                assert context.args[0] in (1, "cause", secret)
                context = context.__cause__ or context.__context__
            del error, context
        gc.collect()
        assert [reference() for reference in alive] == [None] * len(alive)


@pytest.mark.parametrize("options", [{}, {"negative_ttl": 60}, {"ttl": 60, "stale": 60}])
def test_errors_make_no_cycles(options: dict[str, Any]) -> None:
    @cached(**options)
    def fail(x: int) -> None:
        raise LookupError(x)

    @cached(**options)
    async def later(x: int) -> None:
        raise LookupError(x)

    async def awaited() -> weakref.ref[Big]:
        return await request_later()

    def request() -> weakref.ref[Big]:
        big = Big()
        try:
            fail(1)
        except LookupError:
            pass
        return weakref.ref(big)

    async def request_later() -> weakref.ref[Big]:
        big = Big()
        try:
            await later(1)
        except LookupError:
            pass
        return weakref.ref(big)

    gc.collect()
    gc.disable()
    try:
        assert [request()() for _ in range(3)] == [None] * 3
        assert [asyncio.run(awaited())() for _ in range(3)] == [None] * 3
    finally:
        gc.enable()
