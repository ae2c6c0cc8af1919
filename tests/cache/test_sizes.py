"""What values keep alive: views count the memory they are views of, and what is shared counts once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from fastcore import flags
from fastcore.cache import LRUCache, sizeof

np = pytest.importorskip("numpy")
pd = pytest.importorskip("pandas")


TEXT = sys.getsizeof("text 123")  # 8 bytes less since Python 3.12


@pytest.mark.parametrize(
    ("view", "least"),
    [
        (lambda: np.ones(100_000)[-100:], 800_000),
        (lambda: np.ones((100, 1000)).T[3], 800_000),
        (lambda: np.frombuffer(bytes(500_000), dtype="u1")[:5], 500_000),
        (lambda: memoryview(bytes(500_000))[:5], 500_000),
        (lambda: np.array(["x" * 5000, "y" * 5000], dtype=object)[:1], 10_000),
        (lambda: np.ma.array(np.ones(100_000), mask=np.zeros(100_000))[:5], 900_000),
        (lambda: pd.DataFrame({name: np.ones(25_000) for name in "ohlc"}).iloc[-100:], 800_000),
        (lambda: pd.DataFrame(np.ones((25_000, 4)), columns=list("ohlc"))["c"], 800_000),
        (lambda: pd.DataFrame(np.ones((25_000, 4)), columns=list("ohlc")).iloc[:3, :1], 800_000),
        (lambda: pd.Series(np.ones(100_000)).iloc[-3:], 800_000),
        (lambda: pd.Index(np.ones(100_000))[:4], 800_000),
        (lambda: pd.Series(1.0, index=np.arange(100_000.0)).iloc[:3], 1_600_000),
        (lambda: pd.Series(pd.array([1] * 100_000, dtype="Int64")).iloc[-3:], 900_000),
        (lambda: pd.Series(["a", "b"] * 50_000, dtype="category").iloc[-3:], 100_000),
        (lambda: pd.Series(pd.date_range("2020", periods=100_000, freq="s", tz="UTC")).iloc[-4:], 800_000),
        (lambda: pd.Series([f"text {n}" for n in range(10_000)], dtype=object).iloc[:2], 10_000 * (8 + TEXT)),
        (lambda: pd.Series(pd.interval_range(0, 10_000)).iloc[-2:], 160_000),
    ],
)
def test_a_view_counts_all_that_it_keeps_alive(view: Any, least: int) -> None:
    seen = view()
    assert least <= sizeof(seen) < 1.2 * least + 2000
    assert sizeof([seen, seen]) < 1.2 * least + 2200
    assert sizeof({"first": seen, "again": seen[:1]}) < 1.3 * least + 4000


def test_memory_that_several_share_counts_once() -> None:
    array = np.ones(100_000)
    assert sizeof([array[:50_000], array[50_000:], array]) < 801_000
    frame = pd.DataFrame(np.ones((25_000, 4)), columns=list("ohlc"))
    assert sizeof([frame, frame["o"], frame["c"], frame.iloc[:5]]) < 810_000
    assert sizeof(np.broadcast_to(np.ones(1), (1_000_000,))) < 1000


def test_a_view_of_a_mapped_file_weighs_the_bytes_it_shows(tmp_path: Path) -> None:
    file = tmp_path / "prices"
    file.write_bytes(bytes(1_000_000))
    assert sizeof(np.memmap(file, mode="r")[:100]) < 5000


def test_max_bytes_bounds_what_views_keep_alive(backend: str) -> None:
    with flags.override("cache", backend):
        cache: Any = LRUCache(1000, max_bytes=1_000_000)
    for n in range(20):
        cache[n] = np.ones(50_000)[-5:]
    assert 1 <= len(cache) <= 2
    assert cache.stats().weight <= 1_000_000


def test_objects_with_slots_count_what_they_hold() -> None:
    class Quote:
        __slots__ = ("bars", "symbol", "unset")

        def __init__(self) -> None:
            self.symbol, self.bars = "A", bytes(5000)

    assert 5000 < sizeof(Quote()) < 5300
