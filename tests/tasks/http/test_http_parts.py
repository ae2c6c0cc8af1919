"""The parts of the HTTP face that need no server: arguments, estimates, JSON, events, problems."""

from __future__ import annotations

import asyncio
import base64
import datetime
import decimal
import enum
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastcore.tasks import QueueFull, TaskQueue
from fastcore.tasks.http.arguments import ArgumentErrors, Signature
from fastcore.tasks.http.estimate import Estimator, phrase
from fastcore.tasks.http.events import event, retry
from fastcore.tasks.http.jsonable import NotJSON, to_json
from fastcore.tasks.http.problems import Problem
from fastcore.tasks.http.service import TaskService
from fastcore.tasks.stores.sqlite.commit_reply import CommitReply

if TYPE_CHECKING:
    from nowhere import Missing  # type: ignore[import-not-found]


class Side(enum.Enum):
    BUY = "buy"


def report(
    symbols: list[str], /, day: datetime.date, *more: int, kind: Literal["daily", "full"] = "daily", **extra: float
) -> None: ...


def plain(a, b=2): ...  # type: ignore[no-untyped-def]


def half(known: int, unknown: Missing, frame: pd.DataFrame | None = None) -> None: ...


class TestArguments:
    def test_json_is_converted_by_the_annotations(self) -> None:
        args, kwargs = Signature(report).bind([["A", "B"], "2026-03-01", 1, "2"], {"kind": "full", "x": 3})
        assert args == (["A", "B"], datetime.date(2026, 3, 1), 1, 2)
        assert kwargs == {"kind": "full", "x": 3.0}
        assert isinstance(kwargs["x"], float)

    @pytest.mark.parametrize(
        ("args", "kwargs", "loc", "message"),
        [
            ([], {}, (), "missing a required argument: 'symbols'"),
            ([["A"]], {"day": "soon"}, ("kwargs", "day"), "date"),
            ([["A", 1]], {"day": "2026-03-01"}, ("args", 0, 1), "valid string"),
            ([["A"], "2026-03-01", "x"], {}, ("args", 2), "valid integer"),
            ([["A"], "2026-03-01"], {"kind": "weekly"}, ("kwargs", "kind"), "'daily' or 'full'"),
            ([["A"], "2026-03-01"], {"extra": "y"}, ("kwargs", "extra"), "valid number"),
            ([["A"], "2026-03-01"], {"day": "2026-03-01"}, (), "multiple values for argument 'day'"),
        ],
    )
    def test_argument_errors_name_their_place(
        self, args: Any, kwargs: Any, loc: tuple[object, ...], message: str
    ) -> None:
        with pytest.raises(ArgumentErrors) as caught:
            Signature(report).bind(args, kwargs)
        assert caught.value.errors[0].loc == loc
        assert message in caught.value.errors[0].message

    def test_all_errors_are_reported_at_once(self) -> None:
        with pytest.raises(ArgumentErrors) as caught:
            Signature(report).bind([["A", 1]], {"day": "soon", "kind": 3})
        assert {error.loc[:2] for error in caught.value.errors} == {("args", 0), ("kwargs", "day"), ("kwargs", "kind")}

    def test_a_function_without_annotations_takes_what_its_signature_takes(self) -> None:
        assert Signature(plain).bind([{"x": [1, None]}], {"b": "two"}) == (({"x": [1, None]},), {"b": "two"})
        with pytest.raises(ArgumentErrors, match="too many positional arguments"):
            Signature(plain).bind([1, 2, 3], {})
        with pytest.raises(ArgumentErrors, match="unexpected keyword argument 'c'"):
            Signature(plain).bind([1], {"c": 3})

    def test_an_unreadable_annotation_validates_nothing(self) -> None:
        assert Signature(half).bind(["7", object], {}) == ((7, object), {})

    def test_json_cannot_stand_for_a_dataframe(self) -> None:
        with pytest.raises(ArgumentErrors) as caught:
            Signature(half).bind([1, 2], {"frame": [1]})
        assert caught.value.errors[0].loc[:2] == ("kwargs", "frame")

    def test_objects_with_a_call_and_enums(self) -> None:
        class Order:
            def __call__(self, side: Side, price: decimal.Decimal) -> None: ...

        assert Signature(Order()).bind(["buy", "1.50"], {}) == ((Side.BUY, decimal.Decimal("1.50")), {})


class TestEstimate:
    def test_there_is_no_estimate_before_the_first_run(self) -> None:
        assert Estimator().estimate("report", {}, 2) is None
        assert phrase(None) == "unknown"

    def test_steady_runs_are_estimated_exactly(self) -> None:
        past = Estimator()
        for _ in range(60):
            past.observe("report", 2.0)
        assert past.estimate("report", {}, 2) == pytest.approx(2.0, abs=1e-3)

    def test_the_work_ahead_is_shared_by_the_slots(self) -> None:
        past = Estimator()
        for _ in range(60):
            past.observe("report", 2.0)
            past.observe("crawl", 10.0)
        assert past.estimate("report", {"crawl": 4}, 2) == pytest.approx(4 * 10 / 2 + 2, abs=0.01)
        assert past.estimate("report", {"crawl": 4}, 5) == pytest.approx(2, abs=0.01)  # a slot is free
        assert past.estimate("report", {"never seen": 3}, 1) == pytest.approx(3 * 2 + 2, abs=0.01)

    def test_a_delay_longer_than_the_queue_decides_the_estimate(self) -> None:
        past = Estimator()
        past.observe("report", 1.0)
        assert past.estimate("report", {}, 1, delay=60) == pytest.approx(61.5)

    def test_the_estimate_follows_changed_durations(self) -> None:
        past = Estimator()
        for seconds in (1.0,) * 50 + (9.0,) * 50:
            past.observe("report", seconds)
        assert past.mean("report") == pytest.approx(9.0, rel=0.01)

    @given(st.lists(st.floats(0, 1e4), min_size=1, max_size=50), st.integers(0, 10_000), st.integers(1, 64))
    def test_an_estimate_is_at_least_the_duration_of_the_run(self, runs: list[float], ahead: int, slots: int) -> None:
        past = Estimator()
        for seconds in runs:
            past.observe("report", seconds)
        found = past.estimate("report", {"report": ahead}, slots)
        mean = past.mean("report")
        assert found is not None
        assert mean is not None
        assert found >= mean >= 0
        assert math.isfinite(found)

    @pytest.mark.parametrize(
        ("seconds", "words"),
        [
            (0, "1 second"),
            (0.2, "1 second"),
            (29.1, "30 seconds"),
            (119, "119 seconds"),
            (119.5, "2 minutes"),
            (7190, "2 hours"),
            (500_000, "6 days"),
        ],
    )
    def test_in_words(self, seconds: float, words: str) -> None:
        assert phrase(seconds) == words


class TestJSON:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (math.nan, None),
            ([math.inf, 1.5], [None, 1.5]),
            (np.float64(2.5), 2.5),
            (np.int8(3), 3),
            (np.bool_(True), True),
            (np.array([[1.0, np.nan], [2.0, 3.0]]), [[1.0, None], [2.0, 3.0]]),
            (np.datetime64("2026-03-01"), "2026-03-01"),
            (np.array(["2026-03-01", "NaT"], "M8[D]"), ["2026-03-01", None]),
            (pd.Timestamp("2026-03-01", tz="UTC"), "2026-03-01T00:00:00Z"),
            (pd.NaT, None),
            ({"a": [pd.NaT, pd.NA]}, {"a": [None, None]}),
            (pd.Series([1, 2], index=["x", "y"], name="n"), {"name": "n", "index": ["x", "y"], "data": [1, 2]}),
            (
                pd.DataFrame({"p": [1.5, np.nan], "t": pd.to_datetime(["2026-03-01", None])}),
                {"columns": ["p", "t"], "index": [0, 1], "data": [[1.5, "2026-03-01T00:00:00"], [None, None]]},
            ),
            (pd.DataFrame(index=[1, 2]), {"columns": [], "index": [1, 2], "data": [[], []]}),
            (decimal.Decimal("1.50"), "1.50"),
            ((1, {2}), [1, [2]]),
            (Side.BUY, "buy"),
            ({1: "one"}, {"1": "one"}),
        ],
    )
    def test_values(self, value: Any, expected: Any) -> None:
        assert json.loads(to_json(value)) == expected

    def test_bytes(self) -> None:
        assert base64.urlsafe_b64decode(json.loads(to_json(b"\xff\xfe"))) == b"\xff\xfe"

    def test_unsupported_types_are_named_in_the_error(self) -> None:
        cycle: list[Any] = []
        cycle.append(cycle)
        deep: list[Any] = []
        for _ in range(100_000):
            deep = [deep]
        for value, name in ((object(), "object"), ([object()], "list"), (cycle, "list"), (deep, "list")):
            with pytest.raises(NotJSON, match=f"^result: expected a value with a form in JSON, got {name}: "):
                to_json(value)
        while deep:
            deep = deep.pop()  # else its end would be as deep a recursion


def test_events_have_the_format_of_the_standard() -> None:
    assert event("state", b'{"a":1}', 21) == b'event: state\nid: 21\ndata: {"a":1}\n\n'
    assert retry(1.5) == b"retry: 1500\n\n"


def test_a_problem_has_the_members_of_the_standard() -> None:
    response = Problem(503, "full", "The queue is full", "10 of 10", retry_after=1.2, task_id="x").response()
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["retry-after"] == "2"
    assert json.loads(bytes(response.body)) == {
        "type": "urn:fastcore:tasks:full",
        "title": "The queue is full",
        "status": 503,
        "detail": "10 of 10",
        "task_id": "x",
    }


def test_submissions_before_a_count_of_waiting_tasks_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = TaskQueue(f"sqlite:///{tmp_path}/tasks.db?durability=normal")
    task = queue.task(lambda: None, name="work")
    desk = TaskService(queue, None, max_waiting=1, max_queued=2)

    async def submit() -> str:
        return await desk.submit(task, (), {}, None, None, None, None)

    async def scenario() -> None:
        await submit()
        await submit()
        monkeypatch.setattr(desk, "_counted_at", float("-inf"))  # so the first of these counts, and the other goes on
        found = await asyncio.gather(submit(), submit(), return_exceptions=True)
        assert [type(one) for one in found] == [QueueFull, QueueFull]

    try:
        asyncio.run(scenario())
    finally:
        queue.close()


def test_a_submission_during_a_count_is_counted_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = TaskQueue(f"sqlite:///{tmp_path}/tasks.db?durability=normal")
    task = queue.task(lambda: None, name="work")
    service = TaskService(queue, None, max_waiting=1, max_queued=3)

    async def submit() -> str:
        return await service.submit(task, (), {}, None, None, None, None)

    async def scenario() -> None:
        await submit()
        await submit()
        reply: CommitReply[Any] = CommitReply()
        counted = queue.store.counts().result()
        monkeypatch.setattr(queue.store, "counts", lambda: reply)
        monkeypatch.setattr(service, "_counted_at", float("-inf"))
        counting = asyncio.create_task(submit())
        await asyncio.sleep(0)
        await submit()
        reply.set_result(counted)  # as it was before the last submission
        with pytest.raises(QueueFull, match="got 3"):
            await counting

    try:
        asyncio.run(scenario())
    finally:
        queue.close()
