"""Large results reuse memory of earlier ones: no two live results share memory, and the pool is bounded."""

from __future__ import annotations

import gc
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fastcore import indicators as ta
from tests.conftest import PURE_ONLY
from tests.indicators.arrays import assert_array_equal

pytestmark = pytest.mark.skipif(PURE_ONLY, reason="of the compiled indicators")

SIZES = (16_384, 16_500, 20_000, 30_000, 70_000, 524_288)
SERIES = {n: np.random.default_rng(n).normal(100, 1, n) for n in SIZES}


def churn(seed: int) -> None:
    """Create and release results in any order; live ones keep their values."""
    chance = random.Random(seed)
    expected = {n: ta.sma(SERIES[n], 7).copy() for n in SIZES}
    kept: list[tuple[int, np.ndarray]] = []
    for _ in range(150):
        n = chance.choice(SIZES)
        kept.append((n, ta.sma(SERIES[n], 7)))
        if len(kept) > chance.randrange(1, 12):
            n, found = kept.pop(chance.randrange(len(kept)))
            assert_array_equal(found, expected[n])
            found.fill(-1.0)  # as its owner may
    for n, found in kept:
        assert_array_equal(found, expected[n])
    for i, (_, one) in enumerate(kept):
        assert not any(np.shares_memory(one, other) for _, other in kept[i + 1 :])


@pytest.mark.parametrize("seed", range(4))
def test_live_results_share_no_memory(seed: int) -> None:
    churn(seed)


def test_results_are_the_same_on_threads() -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(churn, range(10, 26)))


def test_released_memory_is_reused() -> None:
    series = SERIES[70_000]
    ta.sma(series, 7)
    gc.collect()
    seen = {ta.sma(series, 7).ctypes.data for _ in range(20)}
    assert len(seen) == 1
    assert next(iter(seen)) % 64 == 0


def test_results_own_their_memory_and_can_be_resized() -> None:
    for n in SIZES:
        found = ta.sma(SERIES[n], 7)
        assert found.flags.owndata
        assert found.flags.writeable
        before = found.copy()
        for size in (n * 2, n * 40, 10, 0, n):
            found.resize(size, refcheck=False)
            fits = min(10 if size >= 10 else 0, n)
            assert_array_equal(found[:fits], before[:fits] if size != n else 0.0)
        assert not found.any()


def test_other_arrays_use_the_default_allocator() -> None:
    from numpy._core.multiarray import get_handler_name  # type: ignore[attr-defined]

    usual = get_handler_name(np.empty(100_000))
    found = ta.rsi(SERIES[70_000], 14)
    assert get_handler_name(found) == "fastcore"
    assert get_handler_name(np.empty(100_000)) == usual == get_handler_name(found + 1)
    assert get_handler_name(ta.rsi(SERIES[70_000][:1000], 14)) == usual


LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc and MADV_FREE are Linux's")


@LINUX
def test_pooled_memory_is_bounded() -> None:
    code = (
        "import numpy as np; from fastcore import indicators as ta\n"
        "def held():  # what the kernel may not take back at any time\n"
        "    lines = [line.split() for line in open('/proc/self/smaps_rollup')][1:]\n"
        "    sizes = {line[0]: int(line[1]) << 10 for line in lines}\n"
        "    return sizes['Rss:'] - sizes['LazyFree:'], sizes['Rss:']\n"
        "series = [np.ones(n) for n in range(500_000, 1_500_000, 10_000)]\n"
        "[ta.sma(one, 7) for one in series[:3]]\n"
        "before = held()\n"
        "found = [ta.sma(one, 7) for one in series]; del found\n"
        "print(*(now - then for now, then in zip(held(), before)))\n"
    )
    options = f"{os.environ.get('ASAN_OPTIONS', '')}:quarantine_size_mb=1"  # AddressSanitizer keeps what was freed
    env = {**os.environ, "ASAN_OPTIONS": options}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True, env=env
    )
    held, resident = map(int, done.stdout.split())
    assert held < 64 << 20
    assert resident < (64 + 256) << 20


@LINUX
def test_results_of_a_large_plan_reuse_their_pages() -> None:
    import resource

    plan = ta.Plan(**{f"sma{i}": ta.SMA(5 + i) for i in range(10)})
    panel = {"close": np.random.default_rng(0).normal(100, 1, (500, 2000))}
    plan(panel), plan(panel)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(3):
        plan(panel)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 300  # one result has 1,954 pages
