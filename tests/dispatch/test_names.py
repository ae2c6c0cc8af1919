"""The owner's names: their signatures, and that each is a face of the flags and the Switches."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import time
from collections.abc import Iterator

import pytest

import fastcore
from fastcore import Switch, flags, rollout

_numbers = itertools.count()


@pytest.fixture
def service() -> str:
    return f"service{next(_numbers)}"


@pytest.fixture
def manager() -> Iterator[rollout.GradualOptimizationManager]:
    yield rollout.GradualOptimizationManager()
    for name in rollout.OPTIMIZATIONS:
        flags.clear(name)
        flags.resume(name)


def test_signatures_are_the_documented_ones() -> None:
    def names(function: object) -> list[str]:
        return list(inspect.signature(function).parameters)  # type: ignore[arg-type]

    manager, kept = rollout.GradualOptimizationManager, rollout.OptimizationRollback
    assert names(manager) == names(kept) == []
    assert names(manager.enable_optimization) == ["self", "optimization_type"]
    assert names(manager.is_optimization_enabled) == ["self", "optimization_type"]
    assert names(kept.backup_original_function) == ["self", "service_name", "func_name", "func"]
    assert names(kept.rollback_optimization)[:3] == ["self", "service_name", "func_name"]
    assert names(rollout.ABTestManager.should_use_optimized_version) == ["self", "request_id"]
    compare = rollout.PerformanceComparisonTest.compare_performance
    assert names(compare)[:3] == ["self", "service_name", "operation"]
    assert inspect.iscoroutinefunction(compare)


def test_the_manager_is_the_flags(manager: rollout.GradualOptimizationManager) -> None:
    off = dict.fromkeys(rollout.OPTIMIZATIONS, False)
    assert {name: manager.optimization_flags[name] for name in rollout.OPTIMIZATIONS} == off
    manager.enable_optimization("async_processing")
    assert manager.is_optimization_enabled("async_processing")
    assert flags.get("async_processing").mode == "candidate"
    flags.rollback("async_processing", "wrong")
    assert not manager.is_optimization_enabled("async_processing")
    flags.resume("async_processing")
    manager.disable_optimization("async_processing")
    assert manager.optimization_flags["async_processing"] is False
    manager.optimization_flags["async_processing"] = True
    assert rollout.GradualOptimizationManager().is_optimization_enabled("async_processing")
    del manager.optimization_flags["async_processing"]
    assert not manager.is_optimization_enabled("async_processing")
    assert "'background_tasks': False" in repr(manager.optimization_flags)


def test_unknown_optimisations(manager: rollout.GradualOptimizationManager) -> None:
    assert not manager.is_optimization_enabled("test.never")
    with pytest.raises(KeyError):
        manager.optimization_flags["test.never"]
    with pytest.raises(KeyError):
        del manager.optimization_flags["test.never"]
    manager.enable_optimization("test.mine")
    assert manager.is_optimization_enabled("test.mine")
    assert "test.mine" in manager.optimization_flags
    assert "cache" not in set(manager.optimization_flags)
    flags.clear("test.mine")


def test_a_ramp_is_per_key(manager: rollout.GradualOptimizationManager) -> None:
    flags.set("memory_optimization", "ramp:30")
    found = []
    for user in range(1000):
        with fastcore.assigned(f"user{user}"):
            answers = {manager.is_optimization_enabled("memory_optimization") for _ in range(3)}
        assert len(answers) == 1
        found.append(answers.pop())
    assert 230 < sum(found) < 370


def test_rollback_restores_the_original(service: str) -> None:
    kept = rollout.OptimizationRollback()
    kept.backup_original_function(service, "plain", len)
    assert kept.rollback_optimization(service, "plain") is len
    assert kept.rollback_optimization(service, "other") is None
    assert kept.backup_functions == {f"{service}.plain": len}


def test_rollback_of_a_switch_holds_for_every_caller(service: str) -> None:
    kept = rollout.OptimizationRollback()
    switch: Switch[..., str] = Switch(f"{service}.analyse", lambda: "control", lambda: "candidate")
    other: Switch[..., str] = Switch(f"{service}.other", lambda: "control", lambda: "candidate")
    kept.backup_original_function(service, "analyse", switch.control)
    kept.backup_original_function(service, "alias", other)
    for each, name in ((switch, "analyse"), (other, "alias")):
        flags.set(each.flag, "candidate")
        assert each() == "candidate"
        assert kept.rollback_optimization(service, name) is each.control
        assert each() == "control"
        assert flags.get(each.flag).source == "rollback"
        flags.resume(each.flag)
        flags.clear(each.flag)


def test_the_ab_test_is_sticky_and_of_the_ratio() -> None:
    test = rollout.ABTestManager()
    assert test.test_ratio == 0.1
    ids = [f"request-{i}" for i in range(5000)]
    chosen = {i for i in ids if test.should_use_optimized_version(i)}
    assert 400 < len(chosen) < 600
    assert chosen == {i for i in ids if rollout.ABTestManager(0.1).should_use_optimized_version(i)}
    test.test_ratio = 0.5
    assert chosen < {i for i in ids if test.should_use_optimized_version(i)}
    assert not any(rollout.ABTestManager(0).should_use_optimized_version(i) for i in ids)
    assert all(rollout.ABTestManager(1).should_use_optimized_version(i) for i in ids)
    other = {i for i in ids if rollout.ABTestManager(0.1, name="other").should_use_optimized_version(i)}
    assert other != chosen
    for ratio in (-0.1, 1.1, "a", True):
        with pytest.raises(ValueError, match="test_ratio: expected"):
            rollout.ABTestManager(ratio)  # type: ignore[arg-type]


def test_compare_performance_reports_the_calls_so_far(service: str) -> None:
    switch: Switch[..., None] = Switch(
        f"{service}.crawl", lambda: time.sleep(0.004), lambda: time.sleep(0.0001), every=1
    )  # fmt: skip
    test = rollout.PerformanceComparisonTest()
    result = asyncio.run(test.compare_performance(service, "crawl"))
    assert result["improvement"] is None
    assert list(result) == ["service", "operation", "before", "after", "improvement"]
    for mode in ("control", "candidate"):
        flags.set(switch.flag, mode)
        for _ in range(10):
            switch()
    result = asyncio.run(test.compare_performance(service, "crawl"))
    assert (result["service"], result["operation"]) == (service, "crawl")
    assert (result["before"]["calls"], result["after"]["calls"]) == (10, 10)
    assert result["before"]["p50"] is not None
    assert result["before"]["p50"] >= 0.0039
    assert result["improvement"] is not None
    assert result["improvement"] > 0
    flags.clear(switch.flag)


def test_compare_performance_makes_the_calls_itself(service: str) -> None:
    async def slow(x: int) -> int:
        await asyncio.sleep(0.004)
        return x

    async def fast(x: int) -> int:
        if x < 0:
            raise ValueError
        return x

    kept = Switch(f"{service}.fetch", slow, fast)
    result = asyncio.run(rollout.PerformanceComparisonTest(rounds=5).compare_performance(service, "fetch", 3))
    assert (result["before"]["calls"], result["after"]["calls"], result["after"]["errors"]) == (5, 5, 0)
    assert result["improvement"] is not None
    assert result["improvement"] > 0
    result = asyncio.run(rollout.PerformanceComparisonTest(rounds=5).compare_performance(service, "fetch", -3))
    assert result["after"]["errors"] == 5
    assert result["after"]["p50"] is None
    assert kept.report().control.calls == 0


def test_an_unknown_operation_is_named(service: str) -> None:
    with pytest.raises(LookupError, match=rf"{service}\.x: expected a Switch of that name; there are:"):
        asyncio.run(rollout.PerformanceComparisonTest().compare_performance(service, "x"))
    kept = Switch(f"{service}.alone", len)
    with pytest.raises(LookupError, match="expected a Switch with a candidate"):
        asyncio.run(rollout.PerformanceComparisonTest().compare_performance(service, "alone", [1]))
    del kept
    with pytest.raises(ValueError, match="rounds: expected"):
        rollout.PerformanceComparisonTest(0)
