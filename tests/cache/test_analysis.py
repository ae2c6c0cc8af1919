"""Analyses of symbols: kept for each instance, found by symbol, and forgotten when they are invalidated."""

from __future__ import annotations

import asyncio
import functools
import gc
import weakref
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from fastcore import flags
from fastcore.cache import analysis, cache_technical_analysis, expire_caches, get_cached_analysis, named_caches

np = pytest.importorskip("numpy")
pd = pytest.importorskip("pandas")


@pytest.fixture(autouse=True)
def on_backend(backend: str) -> Iterator[None]:
    """Decorators made in a test use the twin under test, and find no symbols of other tests."""
    analysis._calls_by_symbol().clear()
    with flags.override("cache", backend):
        yield


def latest(symbol: str) -> Any:
    return asyncio.run(get_cached_analysis(symbol))


def test_analyses_are_found_by_symbol() -> None:
    calls = 0

    @cache_technical_analysis(ttl=600)
    async def analyse(symbol: str, days: int = 5) -> dict[str, Any]:
        nonlocal calls
        calls += 1
        return {"symbol": symbol, "days": days}

    class Analyst:
        @cache_technical_analysis()
        def analyse(self, days: int, symbol: str) -> str:
            return f"{symbol} over {days}"

    async def main() -> None:
        assert await get_cached_analysis("NOPE") is None
        await analyse("AAPL"), await analyse("AAPL"), await analyse("AAPL", days=9)
        assert calls == 2
        assert await get_cached_analysis("AAPL") == {"symbol": "AAPL", "days": 9}
        assert Analyst().analyse(3, "IBM") == Analyst().analyse(3, "IBM") == "IBM over 3"
        assert await get_cached_analysis("IBM") == "IBM over 3"

    asyncio.run(main())


def test_instances_have_analyses_of_their_own() -> None:
    class Service:
        def __init__(self, period: int) -> None:
            self.period = period

        @cache_technical_analysis()
        def analyse(self, symbol: str) -> str:
            return f"{symbol} over {self.period}"

        @cache_technical_analysis()
        async def analyse_later(self, symbol: str) -> str:
            return f"{symbol} over {self.period}"

    fast, slow = Service(14), Service(50)
    for _ in range(2):
        assert fast.analyse("OWN") == asyncio.run(fast.analyse_later("OWN")) == "OWN over 14"
        assert slow.analyse("OWN") == asyncio.run(slow.analyse_later("OWN")) == "OWN over 50"


def test_class_and_static_methods() -> None:
    class Service:
        @cache_technical_analysis()
        @staticmethod
        def still(symbol: str) -> str:
            return f"{symbol} still"

        @staticmethod
        @cache_technical_analysis()
        def outside(symbol: str) -> str:
            return f"{symbol} outside"

        @classmethod
        @cache_technical_analysis()
        def by_class(cls, symbol: str) -> str:
            return f"{symbol} of {cls.__name__}"

    class Other(Service):
        pass

    for _ in range(2):
        assert Service.still("STATIC") == Service().still("STATIC") == latest("STATIC") == "STATIC still"
        assert Service.outside("OUT") == "OUT outside"
        assert Service.by_class("CLASS") == "CLASS of Service"
        assert Other.by_class("CLASS") == Other().by_class("CLASS") == latest("CLASS") == "CLASS of Other"
        Service.still.invalidate("STATIC")


def prices(symbol: str | None = None, **attrs: str) -> Any:
    frame = pd.DataFrame({"close": np.arange(5.0)})
    if symbol is not None:
        frame["symbol"] = symbol
    frame.attrs.update(attrs)
    return frame


def many_levels(symbol: str) -> Any:
    index = pd.MultiIndex.from_product([[symbol], range(5)], names=["symbol", "bar"])
    return prices().set_index(index)


def test_the_symbol_of_a_frame() -> None:
    @cache_technical_analysis()
    def analyse(frame: Any, interval: str = "1d") -> float:
        return float(frame["close"].sum())

    mixed = prices("MIXED").assign(symbol=["MIXED"] * 4 + ["OTHER"])
    for frame in (prices("COLUMN"), prices(symbol=None), mixed, mixed.iloc[:0], many_levels("LEVEL")):
        analyse(frame)
    assert latest("COLUMN") == latest("LEVEL") == 10.0
    assert latest("MIXED") is latest("OTHER") is None
    named = prices()
    named.attrs["symbol"] = "ATTR"
    analyse(named, interval="1h")
    assert latest("ATTR") == 10.0
    assert latest("1h") is None


def test_the_symbol_of_a_polars_frame() -> None:
    pl = pytest.importorskip("polars")

    @cache_technical_analysis()
    def analyse(frame: Any) -> float:
        return float(frame["close"].sum())

    analyse(pl.DataFrame({"close": [1.0, 2.0], "symbol": ["POLARS", "POLARS"]}))
    analyse(pl.DataFrame({"close": [1.0, 2.0], "symbol": ["ONE", "TWO"]}))
    assert latest("POLARS") == 3.0
    assert latest("ONE") is None


def test_the_symbol_of_arguments() -> None:
    @cache_technical_analysis()
    def analyse(days: int, name: str = "x", *rest: Any, symbol: str | None = None, **more: Any) -> Any:
        return name

    analyse(1, "FIRST")
    analyse(1, name="NAMED")
    analyse(1, "SECOND", symbol="CHOSEN")
    analyse(1, "THIRD", prices("FRAME"))
    analyse(1, "FOURTH", data=prices("KEYWORD"))
    assert [latest(name) for name in ("FIRST", "NAMED", "CHOSEN", "FRAME", "KEYWORD")] == [
        "FIRST",
        "NAMED",
        "SECOND",
        "THIRD",
        "FOURTH",
    ]
    assert latest("SECOND") is latest("THIRD") is None
    with pytest.raises(TypeError, match="analyse"):
        analyse()


def test_a_symbol_can_be_an_arguments_default() -> None:
    @cache_technical_analysis()
    def analyse(symbol: str = "DEFAULT") -> str:
        return symbol

    analyse()
    assert latest("DEFAULT") == "DEFAULT"


def test_an_edited_analysis_is_not_shared_with_the_next_caller() -> None:
    class Service:
        @cache_technical_analysis()
        def analyse(self, frame: Any) -> Any:
            return pd.DataFrame({"sma": frame["close"].rolling(3).mean()})

    service, frame = Service(), prices("EDIT")
    for answer in (service.analyse(frame), service.analyse(frame), latest("EDIT")):
        assert answer["sma"].iloc[4] == 3.0
        answer["sma"] = 0.0


def test_an_invalidated_analysis_is_not_found() -> None:
    calls = []

    @cache_technical_analysis()
    def analyse(symbol: str, days: int = 5) -> str:
        calls.append(symbol)
        return f"{symbol} over {days}"

    analyse("GONE")
    analyse("GONE", days=9)
    assert latest("GONE") == "GONE over 9"
    assert analyse.invalidate("GONE", days=9)
    assert latest("GONE") == "GONE over 5"
    assert analyse.invalidate("GONE")
    assert latest("GONE") is None
    analyse("GONE")
    assert latest("GONE") == "GONE over 5"
    analyse.cache_clear()
    assert latest("GONE") is None
    assert analyse("GONE", days=9) == latest("GONE") == "GONE over 9"
    assert len(calls) == 4


def test_a_frames_analysis_is_not_found_after_it_was_invalidated() -> None:
    @cache_technical_analysis()
    def analyse(frame: Any) -> float:
        return float(frame["close"].sum())

    analyse(prices("FRAME2"))
    assert latest("FRAME2") == 10.0
    assert analyse.invalidate(prices("FRAME2"))
    assert latest("FRAME2") is None


def test_an_analysis_is_found_while_it_is_cached() -> None:
    @cache_technical_analysis(ttl=timedelta(milliseconds=20), maxsize=1)
    def analyse(symbol: str) -> str:
        return symbol

    analyse("SHORT")
    while latest("SHORT") is not None:
        expire_caches()
    analyse("OLD"), analyse("NEW")
    assert latest("OLD") is None


def test_the_latest_analysis_of_an_instance_outlives_it() -> None:
    class Service:
        def __init__(self, period: int) -> None:
            self.period = period

        @cache_technical_analysis()
        def analyse(self, symbol: str) -> str:
            return f"{symbol} over {self.period}"

    for period in (5, 9):
        Service(period).analyse("BRIEF")
        gc.collect()
        assert latest("BRIEF") == f"BRIEF over {period}"
    Service.analyse.cache_clear()
    assert latest("BRIEF") is None
    services = [Service(period) for period in (5, 9)]
    for service in services:
        service.analyse("BRIEF")
    assert services[1].analyse.invalidate("BRIEF")
    assert latest("BRIEF") == "BRIEF over 5"
    references = [weakref.ref(service) for service in services]
    del services, service
    gc.collect()
    assert [reference() for reference in references] == [None, None]


def test_a_function_that_is_garbage_is_forgotten() -> None:
    @cache_technical_analysis()
    def analyse(symbol: str) -> str:
        return symbol

    analyse("GARBAGE")
    (label,) = [name for name in named_caches() if name.endswith("is_forgotten.<locals>.analyse")]
    assert label.startswith("technical_analysis:")
    del analyse
    gc.collect()
    assert latest("GARBAGE") is None
    assert label not in named_caches()


def test_coroutines_that_the_decorator_could_not_see() -> None:
    async def body(symbol: str) -> str:
        return symbol

    for function in (functools.partial(body), lambda symbol: body(symbol)):
        analyse = cache_technical_analysis()(function)

        async def main(analyse: Any = analyse) -> None:
            assert [await analyse("AWAITED"), await analyse("AWAITED")] == ["AWAITED"] * 2

        asyncio.run(main())
        assert latest("AWAITED") == "AWAITED"
        analyse.cache_clear()
        assert latest("AWAITED") is None


def test_wrong_use_is_refused() -> None:
    with pytest.raises(
        TypeError, match=r"expected @cache_technical_analysis\(\) or .*, got the function .*without par"
    ):

        @cache_technical_analysis  # type: ignore[arg-type]
        def analyse(symbol: str) -> str:
            return symbol

    with pytest.raises(TypeError, match="function: expected a callable, got int"):
        cache_technical_analysis()(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="ttl: expected a time longer than 0, got 0"):
        cache_technical_analysis(ttl=0)
    with pytest.raises(TypeError, match="ttl"):
        cache_technical_analysis(ttl="600")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="symbol: expected a str, got int"):
        latest(3)  # type: ignore[arg-type]
