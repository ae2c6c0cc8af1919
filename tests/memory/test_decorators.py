"""The decorators, on plain and async functions, on methods, and on functions that fail."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import logging
import subprocess
import sys
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fastcore import metrics
from fastcore.cache import TTLCache, register
from fastcore.memory import (
    MemoryGrowth,
    decorators,
    frame_bytes,
    memory_monitor,
    optimize_dataframe_memory,
    register_shrinker,
    scheduler_cleanup,
)


def frame(rows: int = 500) -> pd.DataFrame:
    return pd.DataFrame(
        {"s": ["".join(("A", "B")) for _ in range(rows)], "n": np.arange(rows), "x": np.arange(rows) / 3}
    )


def dtypes(df: pd.DataFrame) -> list[str]:
    return df.dtypes.astype(str).tolist()


SMALLER = ["category", "int32", "float64"]
AS_IT_WAS = ["str", "int64", "float64"]


on_request = optimize_dataframe_memory(categories=True, integers=True)


def trades() -> pd.DataFrame:
    lots = np.random.default_rng(0).integers(30_000, 46_000, (2, 2_000))
    symbols = ["AAPL", "IBM", "MSFT", "TSLA"] * 500
    return pd.DataFrame({"lots": lots[0], "cents": lots[1], "whole": lots[0].astype(float), "symbol": symbols})


class TestOptimize:
    @pytest.mark.parametrize(
        "function",
        [
            lambda df: int(df["lots"].dot(df["cents"])),
            lambda df: int((df["lots"] * 1_000_000).max()),
            lambda df: int((df["lots"] * df["cents"] + df["lots"] * df["cents"]).max()),
            lambda df: int((df["lots"] ** 3).max()),
            lambda df: int(np.convolve(df["lots"], df["cents"])[1999]),
            lambda df: int(np.dot(df["whole"], df["whole"])),
            lambda df: df[df["symbol"] != "IBM"]["symbol"].value_counts().sort_index().to_dict(),
            lambda df: df[df["symbol"] != "IBM"].groupby("symbol")["lots"].sum().to_dict(),
            lambda df: list(pd.get_dummies(df[df["symbol"] != "IBM"]["symbol"]).columns),
            lambda df: df.select_dtypes(include=["number"]).dtypes.astype(str).to_dict(),
            lambda df: df.dtypes.astype(str).to_dict(),
            lambda df: df.assign(symbol=df["symbol"].where(df["lots"] > 40_000, "other"))["symbol"].nunique(),
        ],
    )
    def test_no_result_changes_by_default(self, function: Callable[[pd.DataFrame], object]) -> None:
        assert optimize_dataframe_memory()(function)(trades()) == function(trades())

    def test_text_is_shared_and_a_view_is_copied_by_default(self) -> None:
        block = np.array([[f"AB{i % 3}", "x" * 1_000] for i in range(600)], dtype=object)
        df = pd.DataFrame(block, columns=["s", "t"], copy=False)[["s"]]
        made = optimize_dataframe_memory()(lambda df: df)(df)
        pd.testing.assert_frame_equal(made, df)
        assert frame_bytes(made) < frame_bytes(df)
        assert not np.shares_memory(made["s"].to_numpy(), block)

    @pytest.mark.parametrize("rows", [slice(None), slice(2, 900, 3)])
    def test_text_held_as_objects_stays_objects(self, rows: slice) -> None:
        names = ["AA" + str(at % 3) for at in range(1000)]
        frame = pd.DataFrame({"symbol": pd.Series(names, dtype=object), "other": pd.Series(names, dtype=object)})[rows]
        mixed = frame.assign(other=pd.Series([1, "a", None, 2.5] * 250, dtype=object)[rows])
        for given in (frame, mixed, frame[:3]):
            seen = []

            @optimize_dataframe_memory(min_bytes=0)
            def looks(df: pd.DataFrame) -> pd.DataFrame:
                seen.append(df.dtypes.tolist())  # noqa: B023
                return df

            pd.testing.assert_frame_equal(looks(given), given)
            assert seen == [[np.dtype(object), np.dtype(object)]]

    def test_dates_on_request(self) -> None:
        df = frame().set_axis(pd.Index([f"2024-01-02 09:{i % 60:02d}" for i in range(500)], name="time"))
        assert optimize_dataframe_memory()(lambda df: df.index.dtype)(df) == df.index.dtype
        made = optimize_dataframe_memory(dates=["time", "other"])(lambda df: df.index)(df)
        assert isinstance(made, pd.DatetimeIndex)

    def test_arguments_and_results_are_optimised(self) -> None:
        @optimize_dataframe_memory(categories=True, integers=True)
        def calculate(df: pd.DataFrame, *, other: pd.DataFrame) -> tuple[list[str], list[str], pd.DataFrame]:
            """Doc."""
            return dtypes(df), dtypes(other), df.assign(m=np.arange(len(df)))

        df = frame()
        first, second, result = calculate(df, other=df)
        assert (first, second) == (SMALLER, SMALLER)
        assert dtypes(result) == [*SMALLER, "int32"]
        assert dtypes(df) == AS_IT_WAS
        assert calculate.__doc__ == "Doc."
        assert list(inspect.signature(calculate).parameters) == ["df", "other"]

    def test_methods_and_async_functions(self) -> None:
        class Service:
            @on_request
            def plain(self, df: pd.DataFrame) -> pd.DataFrame:
                assert dtypes(df) == SMALLER
                return df

            @on_request
            async def later(self, df: pd.DataFrame) -> dict[str, pd.DataFrame]:
                await asyncio.sleep(0)
                return {"in": df, "out": frame()}

        assert dtypes(Service().plain(frame())) == SMALLER
        assert inspect.iscoroutinefunction(Service().later)
        result = asyncio.run(Service().later(frame()))
        assert [dtypes(part) for part in result.values()] == [SMALLER, SMALLER]

    def test_a_partial_and_an_object_of_async_functions(self) -> None:
        async def give(df: pd.DataFrame) -> pd.DataFrame:
            return df

        class Callable:
            async def __call__(self, df: pd.DataFrame) -> pd.DataFrame:
                return df

        for function in (functools.partial(give), Callable()):
            assert dtypes(asyncio.run(on_request(function)(frame()))) == SMALLER

    def test_only_arguments_or_only_the_result(self) -> None:
        seen = []

        def function(df: pd.DataFrame) -> pd.DataFrame:
            seen.append(dtypes(df))
            return frame()

        assert (
            dtypes(optimize_dataframe_memory(categories=True, integers=True, result=False)(function)(frame()))
            == AS_IT_WAS
        )
        assert (
            dtypes(optimize_dataframe_memory(categories=True, integers=True, arguments=False)(function)(frame()))
            == SMALLER
        )
        assert seen == [SMALLER, AS_IT_WAS]

    def test_small_frames_are_not_changed(self) -> None:
        small = frame(3)
        assert optimize_dataframe_memory()(lambda df: df)(small) is small

    def test_integers_with_overflowing_products_stay(self) -> None:
        df = pd.DataFrame({"price": [70_000] * 500, "volume": [1_000_000] * 500})
        turnover = optimize_dataframe_memory(integers=True)(lambda df: (df["price"] * df["volume"]).sum())
        assert turnover(df) == 70_000 * 1_000_000 * 500

    def test_floats_only_as_far_as_allowed(self) -> None:
        df = pd.DataFrame({"x": np.arange(1_000) / 100})
        assert dtypes(optimize_dataframe_memory()(lambda df: df)(df)) == ["float64"]
        assert dtypes(optimize_dataframe_memory(0.01)(lambda df: df)(df)) == ["float32"]

    def test_names_of_categories_that_a_frame_does_not_have(self) -> None:
        only = optimize_dataframe_memory(categories=["other"], integers=True)(lambda df: df)
        assert dtypes(only(frame())) == ["str", "int32", "float64"]
        assert dtypes(only(frame().assign(other=frame()["s"])))[-1] == "category"

    def test_other_values_are_not_changed(self) -> None:
        marker = object()
        assert optimize_dataframe_memory()(lambda *args, **kwargs: (args, kwargs))(1, marker, a=marker) == (
            (1, marker),
            {"a": marker},
        )

    def test_wrong_arguments_are_refused(self) -> None:
        with pytest.raises(ValueError, match="max_relative_error"):
            optimize_dataframe_memory(2.0)
        with pytest.raises(TypeError, match="function: expected a callable, got int"):
            optimize_dataframe_memory()(1)  # type: ignore[type-var]

    def test_pandas_is_not_imported_for_it(self) -> None:
        code = (
            "import sys\nfrom fastcore.memory import optimize_dataframe_memory, MemoryWatch, memory_monitor\n"
            "assert optimize_dataframe_memory()(lambda x: x)(3) == 3\nassert 'pandas' not in sys.modules"
        )
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


class Memory:
    """The process's memory as the test would have it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = self.peak = 100 << 20
        monkeypatch.setattr(decorators, "resident_bytes", lambda: self.now)
        monkeypatch.setattr(decorators, "peak_resident_bytes", lambda: self.peak)

    def grow(self, mib: int) -> None:
        self.now += mib << 20
        self.peak = max(self.peak, self.now)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    return Memory(monkeypatch)


class TestMonitor:
    def test_growth_beyond_the_threshold_is_reported(self, memory: Memory, caplog: pytest.LogCaptureFixture) -> None:
        told: list[MemoryGrowth] = []

        @memory_monitor(threshold_mb=50.0, on_exceeded=told.append)
        def load(mib: int) -> str:
            memory.grow(mib)
            return "done"

        name = load.__qualname__
        with caplog.at_level(logging.WARNING, "fastcore.memory"):
            assert load(50) == "done"
            assert not told
            assert load(51) == "done"
        assert told == [MemoryGrowth(name, 51 << 20, 50 << 20)]
        assert "took 51.0 MiB of memory, more than 50 MiB" in caplog.text
        assert metrics.counter("fastcore_memory_exceeded_total", function=name).value == 1
        assert metrics.gauge("fastcore_memory_growth_bytes", function=name).value == 51 << 20

    def test_a_peak_that_has_passed_counts(self, memory: Memory) -> None:
        told: list[MemoryGrowth] = []

        @memory_monitor(50.0, on_exceeded=told.append)
        def peak() -> None:
            memory.grow(80)
            memory.now -= 80 << 20

        peak()
        assert [growth.bytes for growth in told] == [80 << 20]
        peak()
        assert len(told) == 1, "a peak that is no record of the process cannot be known"

    def test_shrinkers_help(self, memory: Memory) -> None:
        kept: list[float] = []
        forget = register_shrinker("test", kept.append)
        try:
            memory_monitor(1)(memory.grow)(2)
            assert kept == [0.5]
            memory_monitor(1, shrink_on_exceeded=False)(memory.grow)(2)
            assert kept == [0.5]
        finally:
            forget()

    def test_async_functions_and_failures(self, memory: Memory) -> None:
        told: list[MemoryGrowth] = []

        @memory_monitor(1, on_exceeded=told.append)
        async def fails() -> None:
            await asyncio.sleep(0)
            memory.grow(5)
            raise KeyError("own")

        with pytest.raises(KeyError, match="own"):
            asyncio.run(fails())
        assert [growth.bytes for growth in told] == [5 << 20]

    def test_a_callback_that_raises_is_logged(self, memory: Memory, caplog: pytest.LogCaptureFixture) -> None:
        assert memory_monitor(1, on_exceeded=lambda growth: 1 / 0)(lambda: memory.grow(5) or 7)() == 7
        assert "on_exceeded raised" in caplog.text

    def test_real_memory(self) -> None:
        told: list[MemoryGrowth] = []

        @memory_monitor(64, on_exceeded=told.append)
        def allocate(mib: int) -> np.ndarray:
            return np.ones(mib << 17)

        held = allocate(256)
        assert held.nbytes == 256 << 20
        assert len(told) == 1
        assert told[0].bytes > 64 << 20

    @pytest.mark.parametrize(
        ("value", "error", "text"),
        [
            (0, ValueError, "threshold_mb: expected a number above 0, got 0"),
            (float("nan"), ValueError, "threshold_mb"),
            ("200", TypeError, "threshold_mb: expected a number, got str"),
        ],
    )
    def test_wrong_arguments_are_refused(self, value: object, error: type[Exception], text: str) -> None:
        with pytest.raises(error, match=text):
            memory_monitor(threshold_mb=value)  # type: ignore[arg-type]


class Cyclic:
    def __init__(self) -> None:
        self.self = self


class TestCleanup:
    def test_expired_entries_and_garbage_are_freed_after_the_job(self) -> None:
        now = 0.0
        cache = TTLCache(maxsize=10, ttl=5, timer=lambda: now)
        register("test_cleanup", cache)
        watched = []

        @scheduler_cleanup()
        def job() -> str:
            nonlocal now
            cache["a"] = 1
            now = 10.0
            watched.append(weakref.ref(Cyclic()))
            return "done"

        gc.disable()
        try:
            assert job() == "done"
        finally:
            gc.enable()
        assert watched[0]() is None
        assert cache.stats().evictions["expired"] == 1
        assert metrics.counter("fastcore_cleanups_total", job=job.__qualname__).value == 1

    def test_a_failed_job_is_cleaned_up_and_its_error_raised(self) -> None:
        watched = []

        @scheduler_cleanup()
        async def job() -> None:
            watched.append(weakref.ref(Cyclic()))
            raise OSError("own")

        gc.disable()
        try:
            with pytest.raises(OSError, match="own"):
                asyncio.run(job())
        finally:
            gc.enable()
        assert watched[0]() is None

    def test_shrinking(self) -> None:
        cache = TTLCache(maxsize=10, ttl=1000)
        register("test_cleanup", cache)
        for key in range(10):
            cache[key] = key
        scheduler_cleanup(caches="shrink", keep=0.2)(lambda: None)()
        assert sorted(cache) == [8, 9]

    def test_only_the_requested_steps_run(self) -> None:
        watched = []

        def job() -> None:
            watched.append(weakref.ref(Cyclic()))

        gc.collect()
        gc.disable()
        try:
            scheduler_cleanup(caches=None, collect=False)(job)()
            assert watched[0]() is not None
        finally:
            gc.enable()

    def test_a_frequent_job_collects_for_a_thousandth_of_the_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now, collected = 100.0, []

        def collect() -> int:
            nonlocal now
            collected.append(now)
            now += 0.05
            return 0

        monkeypatch.setattr(decorators.time, "perf_counter", lambda: now)
        monkeypatch.setattr(decorators.gc, "collect", collect)
        job = scheduler_cleanup()(lambda: None)
        for _ in range(20):  # every 6 s for two minutes
            job()
            now += 6.0
        assert [round(at) for at in collected] == [100, 154, 208]
        scheduler_cleanup()(lambda: None)()  # the first run of another job
        assert len(collected) == 4
        gc.disable()
        try:
            job()
            job()
        finally:
            gc.enable()
        assert len(collected) == 6

    def test_errors_in_cleaning_up_are_logged(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(decorators, "trim", lambda: 1 / 0)
        assert scheduler_cleanup()(lambda: "done")() == "done"
        assert "cleaning up after" in caplog.text

    @pytest.mark.parametrize("kwargs", [{"caches": "all"}, {"keep": 2}])
    def test_wrong_arguments_are_refused(self, kwargs: dict[str, object]) -> None:
        with pytest.raises(ValueError, match=next(iter(kwargs))):
            scheduler_cleanup(**kwargs)  # type: ignore[arg-type]


EACH = [memory_monitor(), scheduler_cleanup(collect=False), optimize_dataframe_memory()]


@pytest.mark.parametrize("decorate", EACH, ids=["monitor", "cleanup", "dataframes"])
def test_closing_a_decorated_generator_closes_the_function_s_at_once(decorate: Any) -> None:
    ended: list[str] = []

    @decorate
    def plain() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            ended.append("plain")

    @decorate
    async def awaited() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            ended.append("awaited")

    async def take_one() -> list[str]:
        items = awaited()
        assert await anext(items) == 1
        await items.aclose()  # type: ignore[attr-defined]
        return list(ended)

    items = plain()
    assert next(items) == 1
    items.close()  # type: ignore[attr-defined]
    assert asyncio.run(take_one()) == ["plain", "awaited"]


@pytest.mark.parametrize("decorate", EACH, ids=["monitor", "cleanup", "dataframes"])
def test_an_error_thrown_into_a_decorated_generator_reaches_the_function_s(decorate: Any) -> None:
    @decorate
    async def awaited() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            ended.append(True)

    async def fail() -> None:
        items = awaited()
        await anext(items)
        with pytest.raises(KeyError):
            await items.athrow(KeyError("mine"))  # type: ignore[attr-defined]

    ended: list[bool] = []
    asyncio.run(fail())
    assert ended == [True]
