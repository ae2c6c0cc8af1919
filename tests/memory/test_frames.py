"""What optimize_dataframe keeps, what it changes, and that there is a way back."""

from __future__ import annotations

import gc
import pickle
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcore import metrics
from fastcore.memory import align_categories, frame_bytes, optimize_dataframe
from fastcore.memory.bounds import _relative

BIG = 2**30


def test_the_default_is_lossless(prices: pd.DataFrame) -> None:
    made, report = optimize_dataframe(prices)
    assert made.dtypes.astype(str).tolist() == ["datetime64[us]", "float64", "float64", "float64", "int32"]
    assert (made["volume"] == prices["volume"]).all()
    pd.testing.assert_frame_equal(made.drop(columns="volume"), prices.drop(columns="volume"))
    assert report.exact
    assert report.bytes_after == report.bytes_before - 4 * len(prices)
    assert report.bytes_after == frame_bytes(made)
    pd.testing.assert_frame_equal(report.restore(made), prices)


def test_index_attributes_flags_and_order_are_kept(prices: pd.DataFrame) -> None:
    prices = prices.set_index("time")
    prices.attrs["exchange"] = "XNAS"
    prices.flags.allows_duplicate_labels = False
    before = prices.copy()
    made, report = optimize_dataframe(prices, 0.01)
    restored = report.restore(made)
    for frame in (made, restored):
        assert frame.index.identical(prices.index)
        assert frame.attrs == {"exchange": "XNAS"}
        assert frame.flags.allows_duplicate_labels is False
        assert list(frame.columns) == list(prices.columns)
    pd.testing.assert_frame_equal(prices, before)


def test_columns_of_one_name(prices: pd.DataFrame) -> None:
    frame = pd.concat([prices[["volume"]], prices[["close"]], prices[["volume"]] * 2**20], axis=1)
    made, report = optimize_dataframe(frame)
    assert made.dtypes.astype(str).tolist() == ["int32", "float64", "int64"]
    pd.testing.assert_frame_equal(report.restore(made), frame)


@pytest.mark.parametrize(
    ("values", "dtype", "after"),
    [
        ([1 - BIG, BIG - 1], "int64", "int32"),
        ([0, BIG], "int64", "int64"),
        ([-BIG, 0], "int64", "int64"),
        ([1, 2], "uint64", "int32"),
        ([0, 2**64 - 1], "uint64", "uint64"),
        ([-(2**63), 0], "int64", "int64"),
        ([1, 2], "int8", "int8"),
        ([1, 2], "uint8", "uint8"),
        ([1, None], "Int64", "Int32"),
        ([None, None], "Int64", "Int32"),
        ([True, False], "bool", "bool"),
        ([1.0, -2.0, 0.0], "float64", "int32"),
        ([1.0, 2.5], "float64", "float64"),
        ([1.0, np.nan], "float64", "float64"),
        ([1.0, np.inf], "float64", "float64"),
        ([1.0, -0.0], "float64", "float64"),
        ([0.0, float(BIG)], "float64", "float64"),
        ([], "float64", "float64"),
        ([], "int64", "int64"),
    ],
)
def test_integers_become_int32_and_nothing_narrower(values: list[object], dtype: str, after: str) -> None:
    frame = pd.DataFrame({"x": pd.Series(values, dtype=dtype)})
    made, report = optimize_dataframe(frame)
    assert str(made["x"].dtype) == after
    pd.testing.assert_frame_equal(report.restore(made), frame)


def test_sums_and_differences_of_int32_columns_do_not_overflow() -> None:
    frame = pd.DataFrame({"a": [BIG - 1, 1 - BIG], "b": [1 - BIG, BIG - 1]})
    made, _ = optimize_dataframe(frame)
    assert (made["a"].dtype, made["b"].dtype) == (np.int32, np.int32)
    for of in (made, frame):
        assert (of["a"] - of["b"]).tolist() == [2 * BIG - 2, 2 - 2 * BIG]
        assert (of["a"] + of["a"]).tolist() == [2 * BIG - 2, 2 - 2 * BIG]


def test_with_products_int32_products_do_not_overflow() -> None:
    frame = pd.DataFrame({"small": [46_340, -46_340], "large": [46_341, 0]})
    made, _ = optimize_dataframe(frame, arithmetic="products")
    assert made.dtypes.astype(str).tolist() == ["int32", "int64"]
    assert (made["small"] * made["small"]).tolist() == [46_340**2] * 2


def test_a_price_of_which_a_tick_would_be_wrong_by_a_fifth_stays_float64() -> None:
    ticks = 6_543_212 + np.arange(40) % 5
    frame = pd.DataFrame({"btc": ticks / 100, "share": (18_523 + np.arange(40) % 5) / 100})
    made, report = optimize_dataframe(frame, 0.05)
    assert made.dtypes.astype(str).tolist() == ["float64", "float32"]
    assert "float32 would change differences by up to 0." in report.column("btc").reason
    assert report.column("share").difference_error < 0.001
    narrow = frame["btc"].astype("float32").astype("float64").diff().abs()
    error = (narrow / frame["btc"].diff().abs() - 1).abs().max()
    assert error > 0.1, "the trap this is about"


def test_symbols_that_alternate_do_not_hide_each_others_small_differences() -> None:
    rows = np.arange(2_000)
    mixed = np.where(rows % 2 == 0, (6_543_212 + rows % 7) / 100, (1_000 + rows % 11) / 100)
    made, _ = optimize_dataframe(pd.DataFrame({"price": mixed}), 0.01)
    assert made["price"].dtype == np.float64, "from row to row prices jump; within a symbol they move by ticks"


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.floats(-1e7, 1e7).map(lambda x: round(x, 2)), min_size=2, max_size=30),
    st.sampled_from([1e-6, 1e-4, 1e-2, 0.2]),
)
def test_the_difference_of_any_two_values_keeps_the_bound(values: list[float], bound: float) -> None:
    frame = pd.DataFrame({"x": np.array(values)})
    made, report = optimize_dataframe(frame, bound)
    column = report.column("x")
    if made["x"].dtype == np.float64:
        return
    assert column.difference_error <= bound
    wide = made["x"].to_numpy().astype(np.float64)
    before = np.subtract.outer(frame["x"].to_numpy(), frame["x"].to_numpy())
    after = np.subtract.outer(wide, wide)
    assert (np.abs(after - before) <= column.difference_error * np.abs(before) * (1 + 1e-6) + 1e-12).all()


def test_values_a_rounding_apart_count_as_equal() -> None:
    base = np.array([100.1, 100.35, 100.6, 100.85])
    noisy = np.concatenate([base, np.nextafter(base, 200), base])
    _, report = optimize_dataframe(pd.DataFrame({"x": noisy}), 0.01)
    column = report.column("x")
    assert column.after == "float32"
    assert 0 < column.difference_error < 1e-3


@pytest.mark.parametrize("values", [[1e300, 1.0], [1e-300, 1.0], [1e-40, 2e-40]])
def test_values_beyond_float32_stay_float64(values: list[float]) -> None:
    made, report = optimize_dataframe(pd.DataFrame({"x": values}), 0.5)
    assert made["x"].dtype == np.float64
    assert "float32 would change" in report.column("x").reason


def test_missing_and_infinite_values_survive_float32() -> None:
    frame = pd.DataFrame({"x": [np.nan, 1.25, np.inf, -np.inf, -0.0, 1.5]})
    made, report = optimize_dataframe(frame, 0.01)
    assert made["x"].dtype == np.float32
    pd.testing.assert_frame_equal(report.restore(made), frame)
    assert np.signbit(report.restore(made)["x"][4])


def test_float32_of_decimals_is_restored_bit_by_bit(prices: pd.DataFrame) -> None:
    made, report = optimize_dataframe(prices, 0.01)
    assert made.dtypes.astype(str).tolist() == ["datetime64[us]", "float32", "float32", "float32", "int32"]
    assert report.exact
    pd.testing.assert_frame_equal(report.restore(made), prices, check_exact=True)


def test_float32_of_arbitrary_numbers_says_that_it_is_not_exact() -> None:
    frame = pd.DataFrame({"x": np.linspace(0, 1, 7) / 3})
    made, report = optimize_dataframe(frame, 0.01)
    assert made["x"].dtype == np.float32
    assert not report.exact
    restored = report.restore(made)["x"]
    assert restored.dtype == np.float64
    assert not restored.equals(frame["x"])
    np.testing.assert_allclose(restored, frame["x"], rtol=report.column("x").value_error)


class TestCertify:
    """Columns whose differences do not keep the bound are for the caller's indicators to judge."""

    frame = pd.DataFrame({"x": (6_543_212 + np.arange(200) % 50 * 100) / 100 + 1e-4 * (np.arange(200) % 3)})

    def test_accepted_where_the_indicators_keep_the_bound(self) -> None:
        assert optimize_dataframe(self.frame, 0.001)[0]["x"].dtype == np.float64
        made, report = optimize_dataframe(self.frame, 0.001, certify=lambda df: df["x"].rolling(20).mean())
        assert made["x"].dtype == np.float32
        assert report.certified is not None
        assert 0 < report.certified < 1e-6
        assert report.column("x").difference_error > 0.001

    def test_refused_where_one_does_not(self) -> None:
        average = lambda df: df["x"].rolling(20).mean()  # noqa: E731
        lag = lambda df: df["x"].diff(50)  # noqa: E731
        made, report = optimize_dataframe(self.frame, 0.001, certify=[average, lag])
        assert made["x"].dtype == np.float64
        assert "differences" in report.column("x").reason

    def test_columns_that_keep_the_bound_are_certified_too(self, prices: pd.DataFrame) -> None:
        def magnifies(df: pd.DataFrame) -> pd.Series:
            return np.sin(df["close"].astype("float64") * 1e6)

        made, report = optimize_dataframe(prices, 0.01, certify=magnifies)
        assert made["close"].dtype == np.float64
        assert "the indicators would change by" in report.column("close").reason
        assert made["volume"].dtype == np.int32

    def test_an_output_that_goes_missing_is_an_error_without_bound(self, prices: pd.DataFrame) -> None:
        def fragile(df: pd.DataFrame) -> dict[str, object]:
            return {"x": np.where(df["close"].dtype == np.float64, 1.0, np.nan) + df["close"]}

        made, _ = optimize_dataframe(prices, 0.5, certify=fragile)
        assert made["close"].dtype == np.float64

    def test_certify_does_not_apply_to_ticks_and_categories(self, prices: pd.DataFrame) -> None:
        seen = []
        optimize_dataframe(prices, 0.01, tick_size={"low": 0.01}, certify=lambda df: seen.append(df) or df["close"])
        assert [str(df["low"].dtype) for df in seen] == ["float64"] * len(seen)
        assert len(seen) >= 2

    def test_errors_of_certify_are_raised(self, prices: pd.DataFrame) -> None:
        with pytest.raises(ZeroDivisionError):
            optimize_dataframe(prices, 0.01, certify=lambda df: 1 / 0)
        with pytest.raises(TypeError, match="certify: expected numbers"):
            optimize_dataframe(prices, 0.01, certify=lambda df: np.array(["a"]))


class TestTicks:
    """Prices as counts."""

    @settings(max_examples=100, deadline=None)
    @given(
        st.sampled_from([0.01, 0.05, 0.25, 0.001, 0.0001, 1, 5, 2.5, 1e-8]),
        st.lists(st.one_of(st.integers(-(10**8), 10**8), st.none()), min_size=1, max_size=40),
    )
    def test_every_whole_number_of_ticks_round_trips(self, tick: float, counts: list[int | None]) -> None:
        # The nearest double to the decimal, as reading the price from text gives it.
        from decimal import Decimal

        values = [np.nan if n is None else float(Decimal(n) * Decimal(str(tick))) for n in counts]
        frame = pd.DataFrame({"x": np.array(values, dtype=np.float64)})
        made, report = optimize_dataframe(frame, tick_size=tick)
        if any(n is not None for n in counts):
            assert report.column("x").change == "ticks", report
            assert [None if pd.isna(n) else int(n) for n in made["x"]] == counts
        pd.testing.assert_frame_equal(report.restore(made), frame, check_exact=True)

    @pytest.mark.parametrize(
        ("values", "why"),
        [
            ([1.01, 1.015], "not whole ticks of 0.01: 1.015"),
            ([1.01, -0.0], "a negative zero"),
            ([1.01, 1e12], "more than"),
            ([1.01, np.inf], "more than"),
            ([np.nan, np.nan], "no values"),
            ([0.1 + 0.2], "not whole ticks"),
        ],
    )
    def test_other_columns_stay(self, values: list[float], why: str) -> None:
        frame = pd.DataFrame({"x": values})
        made, report = optimize_dataframe(frame, tick_size=0.01)
        assert made["x"].dtype == np.float64
        assert why in report.column("x").reason

    def test_auto_finds_the_decimals_of_each_column(self) -> None:
        frame = pd.DataFrame({"a": [19.301, 20.859], "b": [14.2675, 100.2542], "c": [0.1 + 0.2, 1.0], "d": [5.0, 7.0]})
        made, report = optimize_dataframe(frame, tick_size="auto")
        assert [report.column(name).tick for name in "abcd"] == [0.001, 0.0001, None, None]
        assert made.dtypes.astype(str).tolist() == ["int32", "int32", "float64", "int32"]
        assert made["a"].tolist() == [19301, 20859]
        assert made["d"].tolist() == [5, 7]
        pd.testing.assert_frame_equal(report.restore(made), frame)

    def test_a_mapping_names_the_columns(self, prices: pd.DataFrame) -> None:
        made, report = optimize_dataframe(prices, tick_size={"close": 0.01})
        assert made["close"].dtype == np.int32
        assert report.column("close").tick == 0.01
        assert made["high"].dtype == np.float64
        assert (made["close"] == (prices["close"] * 100).round()).all()


class TestCategories:
    def test_text_that_repeats(self, news: pd.DataFrame) -> None:
        made, report = optimize_dataframe(news)
        assert str(made["source"].dtype) == "category"
        assert made["headline"].dtype == news["headline"].dtype
        assert report.column("source").saved > 0.5
        pd.testing.assert_frame_equal(report.restore(made), news)

    def test_only_where_bytes_fall(self) -> None:
        texts = [f"text {i}" for i in range(35_000)]
        frame = pd.DataFrame({"x": pd.Series(texts * 2, dtype=object)})  # codes and dictionary as large as references
        made, report = optimize_dataframe(frame)
        assert made["x"].dtype == object
        assert "a dictionary would take" in report.column("x").reason

    def test_shared_text_is_counted_once(self) -> None:
        text = "".join(["a", "bc"])
        frame = pd.DataFrame({"x": pd.Series([text] * 1_000, dtype=object)})
        assert frame_bytes(frame) == 8_000 + text.__sizeof__()

    @pytest.mark.parametrize("absent", [None, np.nan, pd.NA])
    def test_the_kind_of_missing_value_round_trips(self, absent: object) -> None:
        frame = pd.DataFrame({"x": pd.Series(["north", "south", absent, "north"] * 50, dtype=object)})
        made, report = optimize_dataframe(frame)
        assert str(made["x"].dtype) == "category"
        for back, was in zip(report.restore(made)["x"], frame["x"]):
            assert back == was if isinstance(was, str) else type(back) is type(was)

    @pytest.mark.parametrize(
        "values",
        [["a", None, "b", np.nan] * 50, ["a", 1] * 50, [("a",), ("a",)] * 50, [b"a", b"b"] * 50, [None] * 50],
    )
    def test_objects_that_would_not_round_trip_stay(self, values: list[object]) -> None:
        frame = pd.DataFrame({"x": pd.Series(values, dtype=object)})
        made, _ = optimize_dataframe(frame)
        assert made["x"].dtype == object

    def test_text_of_a_class_of_its_own_stays(self) -> None:
        class Ticker(str):
            pass

        frame = pd.DataFrame({"x": pd.Series([Ticker("A"), Ticker("B")] * 50, dtype=object)})
        assert optimize_dataframe(frame)[0]["x"].dtype == object

    def test_objects_are_neither_compared_nor_hashed(self) -> None:
        class Hostile:
            def __eq__(self, other: object) -> bool:
                raise AssertionError("compared")

            def __hash__(self) -> int:
                raise AssertionError("hashed")

        frame = pd.DataFrame({"x": pd.Series([Hostile(), Hostile()], dtype=object)})
        assert optimize_dataframe(frame)[0]["x"].dtype == object

    def test_choice_of_columns(self, news: pd.DataFrame) -> None:
        assert "category" not in optimize_dataframe(news, categories=False)[0].dtypes.astype(str).tolist()
        frame = news.assign(other=news["source"])
        made, report = optimize_dataframe(frame, categories=["other"], dates=False)
        assert str(made["source"].dtype) != "category"
        assert str(made["other"].dtype) == "category"
        assert report.column("headline").reason == "text, left alone as asked"

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.one_of(st.none(), st.text(max_size=3)), max_size=60))
    def test_any_text_round_trips(self, values: list[str | None]) -> None:
        for dtype in ("str", object):
            frame = pd.DataFrame({"x": pd.Series(values * 3, dtype=dtype)})
            made, report = optimize_dataframe(frame)
            pd.testing.assert_frame_equal(report.restore(made), frame)


class TestDates:
    def test_dates_as_text_become_datetime64(self, news: pd.DataFrame) -> None:
        made, report = optimize_dataframe(news, dates=["published"])
        assert str(made["published"].dtype) == "datetime64[us, UTC]"
        assert made["published"][1] == pd.Timestamp("2024-03-02T09:01:00Z")
        pd.testing.assert_frame_equal(report.restore(made), news)

    def test_excluded_columns_stay(self, news: pd.DataFrame) -> None:
        assert optimize_dataframe(news, dates=False)[0]["published"].dtype == news["published"].dtype
        assert optimize_dataframe(news, dates=["source"])[0]["published"].dtype == news["published"].dtype

    @pytest.mark.parametrize(
        "values",
        [
            ["2024-01-02", "2024-1-3"],
            ["2024-01-02", "2024-01-03 10:00"],
            ["2024-02-30", "2024-02-28"],
            ["yesterday", "today"],
            ["2024-01-02T10:00:00.5", "2024-01-02T10:00:00.500000"],
        ],
    )
    def test_text_that_would_not_round_trip_stays(self, values: list[str]) -> None:
        frame = pd.DataFrame({"x": values})
        made, report = optimize_dataframe(frame, dates=True, categories=False)
        assert made["x"].dtype == frame["x"].dtype
        assert report.column("x").change == "none"

    def test_missing_dates_round_trip(self) -> None:
        frame = pd.DataFrame({"x": ["2024-01-02", None, "2024-12-31"]})
        made, report = optimize_dataframe(frame, dates=True)
        assert str(made["x"].dtype) == "datetime64[us]"
        pd.testing.assert_frame_equal(report.restore(made), frame)


class TestIndex:
    def test_dates_as_text_become_datetime64(self, prices: pd.DataFrame) -> None:
        frame = prices.set_axis(pd.Index(prices["time"].dt.strftime("%Y-%m-%d %H:%M"), name="date")).drop(
            columns="time"
        )
        made, report = optimize_dataframe(frame)
        assert made.index.equals(pd.DatetimeIndex(prices["time"]))
        assert made.index.name == "date"
        assert report.index is not None
        assert report.index.bytes_after == 8 * len(frame)
        assert report.bytes_after == frame_bytes(made)
        assert "dates held as text in date" in str(report)
        pd.testing.assert_frame_equal(report.restore(made), frame)
        pd.testing.assert_frame_equal(report.restore(made[5:9]), frame[5:9])

    def test_excluded_columns_stay(self) -> None:
        frame = pd.DataFrame({"x": [1.5, 2.5]}, index=pd.Index(["2024-01-02", "2024-01-03"], name="day"))
        assert optimize_dataframe(frame, dates=False)[0].index.identical(frame.index)
        assert optimize_dataframe(frame, dates=["x"])[0].index.identical(frame.index)
        assert isinstance(optimize_dataframe(frame, dates=["day"])[0].index, pd.DatetimeIndex)

    @pytest.mark.parametrize("texts", [["2024-01-02", "2024-1-3"], ["AAPL", "IBM"], ["2024-01-02", None]])
    def test_text_that_would_not_round_trip_stays(self, texts: list[str | None]) -> None:
        frame = pd.DataFrame({"x": [1.5, 2.5]}, index=pd.Index(texts, dtype=object))
        made, report = optimize_dataframe(frame)
        assert made.index.identical(frame.index)
        assert report.index is None

    def test_levels(self) -> None:
        days = [f"2024-01-{day:02d}" for day in range(1, 29)]
        index = pd.MultiIndex.from_product([["AAPL", "IBM"], days], names=["symbol", "day"])
        frame = pd.DataFrame({"x": np.arange(56) / 7}, index=index)
        made, report = optimize_dataframe(frame)
        assert made.index.levels[1].equals(pd.DatetimeIndex(days))
        assert made.loc[("IBM", pd.Timestamp("2024-01-28")), "x"] == 55 / 7
        pd.testing.assert_frame_equal(report.restore(made), frame)
        pd.testing.assert_frame_equal(report.restore(made.reset_index(drop=True)), frame.reset_index(drop=True))

    def test_times_that_its_format_cannot_write_are_refused(self) -> None:
        frame = pd.DataFrame({"x": [1.5, 2.5]}, index=["2024-01-02", "2024-01-03"])
        made, report = optimize_dataframe(frame)
        with pytest.raises(ValueError, match="index: expected dates that %Y-%m-%d can write, got others"):
            report.restore(made.resample("h").ffill())


class TestSharedText:
    def test_equal_text_becomes_one_object(self) -> None:
        column = pd.Series(["".join(("A", "B")) for _ in range(60)] + [None, 5, ["AB"]], dtype=object)
        frame = pd.DataFrame({"x": column})
        made, report = optimize_dataframe(frame, categories=False)
        assert report.column("x").change == "shared"
        assert made["x"].dtype == object
        assert len({id(value) for value in made["x"][:60]}) == 1
        assert report.bytes_after == frame_bytes(made) < frame_bytes(frame)
        pd.testing.assert_frame_equal(made, frame)
        pd.testing.assert_frame_equal(report.restore(made), frame)

    def test_text_of_pandas_own_dtype(self) -> None:
        frame = pd.DataFrame({"x": ["".join(("A", "B")) for _ in range(60)] + [None]})
        made, _ = optimize_dataframe(frame, categories=False)
        pd.testing.assert_frame_equal(made, frame)
        assert frame_bytes(made) < frame_bytes(frame)


class TestRestore:
    @pytest.fixture
    def bars(self) -> pd.DataFrame:
        index = pd.date_range("2024-01-01", periods=200, freq="h")
        return pd.DataFrame({"close": np.round(np.linspace(100, 102, 200), 2), "x": np.arange(200) / 3}, index=index)

    @pytest.mark.parametrize(
        "change",
        [
            lambda df: df.shift(1),
            lambda df: df.reindex(df.index.union([df.index[-1] + pd.Timedelta("1h")])),
            lambda df: df.where(df["x"] > 20),
            lambda df: df.resample("D").mean(),
            lambda df: df.rolling(5).mean(),
            lambda df: df.rename(columns={"close": "c"}),
            lambda df: df[["x", "close"]].rename(columns=str.upper),
            lambda df: df.drop(columns="close"),
            lambda df: df.drop(columns="close").assign(volume=7, mean=1.5),
            lambda df: df.assign(copy=df["close"]),
            lambda df: df.iloc[:0],
        ],
    )
    def test_counts_of_ticks_that_were_changed_since(self, bars: pd.DataFrame, change: Any) -> None:
        made, report = optimize_dataframe(bars, tick_size={"close": 0.01})
        pd.testing.assert_frame_equal(report.restore(change(made)), change(bars), check_dtype=len(change(bars)) > 0)

    def test_labels_that_were_swapped(self) -> None:
        frame = pd.DataFrame({"a": np.round(np.linspace(1, 3, 200), 2), "b": np.round(np.linspace(1, 9, 200), 1)})
        made, report = optimize_dataframe(frame, tick_size="auto")
        swap = {"a": "b", "b": "a"}
        pd.testing.assert_frame_equal(report.restore(made.rename(columns=swap)), frame.rename(columns=swap))

    @pytest.mark.parametrize("keys", ["close", ["close"], ["close", "lots"], "lots", "symbol", ["symbol", "day"]])
    def test_columns_that_were_moved_into_the_index(self, keys: Any) -> None:
        rows = np.arange(200)
        frame = pd.DataFrame(
            {
                "close": 100 + rows / 100,
                "lots": rows % 7,
                "symbol": np.array(["AAPL", "IBM"] * 100, dtype=object),
                "day": pd.date_range("2026-01-01", periods=200).strftime("%Y-%m-%d").astype(object),
                "x": rows / 3,
            }
        )
        made, report = optimize_dataframe(frame, tick_size="auto")
        restored = report.restore(made.set_index(keys))
        pd.testing.assert_frame_equal(restored, frame.set_index(keys), check_exact=True)
        pd.testing.assert_frame_equal(report.restore(restored.reset_index()), restored.reset_index())

    @pytest.mark.parametrize("name", ["day", None])
    def test_an_index_that_became_a_column(self, name: str | None) -> None:
        days = pd.date_range("2026-01-01", periods=200).strftime("%Y-%m-%d").rename(name)
        frame = pd.DataFrame({"x": np.arange(200) / 3}, index=days)
        made, report = optimize_dataframe(frame)
        assert made.index.dtype.kind == "M"
        pd.testing.assert_frame_equal(report.restore(made.reset_index()), frame.reset_index())
        both = pd.MultiIndex.from_product([["a", "b"], days[:100]], names=[None, name])
        frame = pd.DataFrame({"x": np.arange(200) / 3}, index=both)
        made, report = optimize_dataframe(frame)
        pd.testing.assert_frame_equal(report.restore(made.reset_index()), frame.reset_index())

    def test_nullable_integers_under_another_label(self) -> None:
        frame = pd.DataFrame({"a": pd.array([1, None, 3] * 60, dtype="Int64"), "b": np.arange(180)})
        made, report = optimize_dataframe(frame)
        assert made["a"].dtype == "Int32"
        pd.testing.assert_frame_equal(report.restore(made.rename(columns={"a": "c"})), frame.rename(columns={"a": "c"}))

    def test_floats_that_may_be_counts_or_values_are_refused(self) -> None:
        frame = pd.DataFrame({"close": [1.25, 5.0, 900.5]})
        made, report = optimize_dataframe(frame, tick_size=0.01)
        refused = r"close: expected int32 counts of 0.01, or floats that are either counts or values from 1.25 to 900.5"
        with pytest.raises(ValueError, match=f"{refused}, got float64 from 125 to 125"):
            report.restore(made[:2].shift())
        with pytest.raises(ValueError, match=f"{refused}, got float64 from -89550 to -375"):
            report.restore(made.diff(-1))

    def test_renamed_identifies_renamed_counts(self, bars: pd.DataFrame) -> None:
        made, report = optimize_dataframe(bars, tick_size={"close": 0.01})
        part = made[made["close"] > 10_100].rename(columns={"close": "c"})
        expected = bars[bars["close"] > 101].rename(columns={"close": "c"})
        with pytest.raises(ValueError, match=r"c: expected a column of the report, or renamed= saying which it was"):
            report.restore(part)
        pd.testing.assert_frame_equal(report.restore(part, renamed={"c": "close"}), expected)
        with pytest.raises(ValueError, match=r"renamed: expected a column of the frame and one of the report, got 'd'"):
            report.restore(part, renamed={"d": "close"})

    def test_one_of_two_columns_of_one_label(self) -> None:
        frame = pd.DataFrame({"a": range(200), "b": np.round(np.linspace(1, 3, 200), 2)}).set_axis(["x", "x"], axis=1)
        made, report = optimize_dataframe(frame, tick_size=0.01)
        pd.testing.assert_frame_equal(report.restore(made.iloc[:, [1]]), frame.iloc[:, [1]])
        pd.testing.assert_frame_equal(report.restore(made.iloc[:, [1, 0]].iloc[:, [1]]), frame.iloc[:, [0]])
        with pytest.raises(ValueError, match="x: expected all columns of this label, or one of them as it was left"):
            report.restore(made[made.iloc[:, 0] > 5].iloc[:, [1]].copy())

    def test_of_some_rows_and_columns_in_another_order(self, prices: pd.DataFrame, news: pd.DataFrame) -> None:
        frame = pd.concat([prices[:600], news], axis=1)
        made, report = optimize_dataframe(frame, tick_size=0.01, dates=True)
        part = made[["published", "volume", "close", "source"]][5:100:3].assign(extra=1)
        expected = frame[["published", "volume", "close", "source"]][5:100:3].assign(extra=1)
        pd.testing.assert_frame_equal(report.restore(part), expected)

    def test_derived_columns_keep_their_values(self) -> None:
        rows = np.arange(400)
        frame = pd.DataFrame({"lots": rows, "price": np.round(np.linspace(0.01, 4.0, 400), 2)})
        made, report = optimize_dataframe(frame, 0.01)
        assert made.dtypes.astype(str).tolist() == ["int32", "float32"]
        pd.testing.assert_frame_equal(report.restore(made), frame)
        for computed in (
            lambda df: df[["price"]] / 2,
            lambda df: df.shift(1),
            lambda df: df.reindex([*range(3), 1000]),
            lambda df: df.groupby(rows // 7).mean(),
            lambda df: df.rolling(2).mean(),
        ):
            pd.testing.assert_frame_equal(report.restore(computed(made)), computed(frame), rtol=1e-6)

    def test_dates_that_became_times_of_day_are_an_error(self) -> None:
        days = pd.date_range("2026-01-01", periods=100)
        frame = pd.DataFrame({"day": days.strftime("%Y-%m-%d").astype(object)})
        made, report = optimize_dataframe(frame)
        later = made.assign(day=made["day"] + pd.Timedelta(days=1))
        assert report.restore(later)["day"].tolist()[:2] == ["2026-01-02", "2026-01-03"]
        assert report.restore(made.shift(1))["day"].isna().tolist()[:2] == [True, False]
        with pytest.raises(ValueError, match=r"day: expected dates that %Y-%m-%d can write, got others"):
            report.restore(made.assign(day=made["day"] + pd.Timedelta(hours=1)))

    def test_twice_changes_nothing(self, prices: pd.DataFrame) -> None:
        made, report = optimize_dataframe(prices, tick_size=0.01)
        once = report.restore(made)
        pd.testing.assert_frame_equal(report.restore(once), once)

    def test_a_column_of_another_dtype_is_an_error(self, prices: pd.DataFrame) -> None:
        made, report = optimize_dataframe(prices, tick_size=0.01)
        made["close"] = made["close"].astype("int64")
        with pytest.raises(ValueError, match=r"close: expected int32, as it was left, or float64, got int64"):
            report.restore(made)

    def test_a_report_can_be_pickled(self, prices: pd.DataFrame, news: pd.DataFrame) -> None:
        frame = pd.concat([prices[:600], news], axis=1)
        made, report = optimize_dataframe(frame, tick_size=0.01, dates=True)
        pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(report)).restore(made), frame)


def test_a_column_that_stays_does_not_keep_its_neighbours_alive() -> None:
    block = np.array([[1.25, 2.5, 3.75, 5.0], [1e300, 2.0, 3.0, 4.0], [0.5, 1.0, 1.5, 2.0]])
    frame = pd.DataFrame(block.T.copy(), columns=["a", "b", "c"]).copy()
    held = frame["b"].to_numpy()
    while isinstance(held.base, np.ndarray):
        held = held.base
    assert held.size == 12, "the columns share one block"
    watched = weakref.ref(held)
    del held
    made, _ = optimize_dataframe(frame, 0.5)
    assert made.dtypes.astype(str).tolist() == ["float32", "float64", "float32"]
    del frame
    gc.collect()
    assert watched() is None


def test_text_that_stays_does_not_keep_the_source_frame_alive() -> None:
    rows = [{"source": "".join(["Reu", "ters"]), "headline": f"headline {i}"} for i in range(50)]
    frame = pd.DataFrame(rows)
    del rows
    matrix = frame["headline"]._values._ndarray.base
    assert matrix.shape == (50, 2), "pandas' text columns are views of one matrix of objects"
    watched = weakref.ref(matrix)
    del matrix
    made, _ = optimize_dataframe(frame)
    del frame
    gc.collect()
    assert watched() is None
    assert made["headline"].tolist()[-1] == "headline 49"


def test_a_memory_mapped_file_is_not_read_into_memory(tmp_path: Path) -> None:
    mapped = np.memmap(tmp_path / "values", dtype=np.float64, mode="w+", shape=(100, 2))
    frame = pd.DataFrame(mapped, copy=False).iloc[:, :1]
    made, _ = optimize_dataframe(frame)
    assert np.shares_memory(made[0].to_numpy(), mapped)


def test_columns_that_need_no_copy_are_shared(prices: pd.DataFrame) -> None:
    prices = prices.copy()
    made, _ = optimize_dataframe(prices)
    assert np.shares_memory(made["close"].to_numpy(), prices["close"].to_numpy())
    made.loc[0, "close"] = -1.0
    assert prices.loc[0, "close"] != -1.0


def test_saved_bytes_are_counted(prices: pd.DataFrame) -> None:
    saved = metrics.counter("fastcore_dataframe_bytes_saved_total")
    before = saved.value
    optimize_dataframe(prices)
    assert saved.value - before == 4 * len(prices)


def test_the_report_is_a_table(prices: pd.DataFrame) -> None:
    text = str(optimize_dataframe(prices)[1])
    assert "volume" in text
    assert "16,000" in text
    assert "8,000" in text
    assert "50.0%" in text
    with pytest.raises(KeyError):
        optimize_dataframe(prices)[1].column("nothing")


@pytest.mark.parametrize("frame", [pd.DataFrame(), pd.DataFrame({"a": []}), pd.DataFrame(index=range(3))])
def test_empty_frames(frame: pd.DataFrame) -> None:
    made, report = optimize_dataframe(frame, 0.01, 0.01, dates=True)
    pd.testing.assert_frame_equal(made, frame)
    pd.testing.assert_frame_equal(report.restore(made), frame)
    assert report.saved == 0


@pytest.mark.parametrize(
    ("kwargs", "error", "text"),
    [
        (
            {"max_relative_error": -0.1},
            ValueError,
            "max_relative_error: expected a number from 0 to less than 1, got -0.1",
        ),
        ({"max_relative_error": float("nan")}, ValueError, "max_relative_error"),
        ({"max_relative_error": "1%"}, TypeError, "max_relative_error: expected a number, got str"),
        ({"tick_size": 0}, ValueError, "tick_size: expected a finite number above 0, got 0"),
        ({"tick_size": float("inf")}, ValueError, "tick_size"),
        ({"tick_size": "0.01"}, TypeError, "tick_size: expected a number, got str"),
        ({"tick_size": {"nothing": 0.01}}, ValueError, "tick_size: expected columns of the frame, got 'nothing'"),
        ({"categories": "volume"}, TypeError, "categories: expected True, False or columns, got str"),
        ({"dates": ["nothing"]}, ValueError, "dates: expected columns of the frame, got 'nothing'"),
        ({"arithmetic": "sum"}, ValueError, "arithmetic: expected 'sums' or 'products', got 'sum'"),
        ({"max_relative_error": 0.1, "certify": [1]}, TypeError, "certify: expected a callable or callables, got int"),
    ],
)
def test_wrong_arguments(prices: pd.DataFrame, kwargs: dict[str, object], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        optimize_dataframe(prices, **kwargs)


def test_not_a_frame() -> None:
    with pytest.raises(TypeError, match="df: expected a pandas DataFrame, got list"):
        optimize_dataframe([1, 2])


class TestAlign:
    left = pd.DataFrame({"s": pd.Categorical(["A", "B", None]), "n": [1, 2, 3]})
    right = pd.DataFrame({"s": pd.Categorical(["B", "C"]), "m": [1.0, 2.0]})

    def test_joined_frames_keep_their_categories(self) -> None:
        assert str(pd.concat([self.left, self.right])["s"].dtype) != "category", "the trap this is about"
        one, two = align_categories([self.left, self.right])
        joined = pd.concat([one, two])
        assert str(joined["s"].dtype) == "category"
        assert joined["s"].tolist()[:2] + joined["s"].tolist()[3:] == ["A", "B", "B", "C"]
        assert pd.isna(joined["s"].tolist()[2])
        assert str(one.merge(two, on="s")["s"].dtype) == "category"
        assert list(self.left["s"].cat.categories) == ["A", "B"], "the frames given stay as they are"

    def test_columns_that_are_no_category_everywhere_stay(self) -> None:
        plain = pd.DataFrame({"s": ["A"]})
        one, two = align_categories([self.left, plain])
        assert list(one["s"].cat.categories) == ["A", "B"]
        assert two["s"].dtype == plain["s"].dtype

    def test_ordered_categories_stay(self) -> None:
        frames = [pd.DataFrame({"s": pd.Categorical(["A"], ordered=True)}), self.right]
        assert list(align_categories(frames)[1]["s"].cat.categories) == ["B", "C"]

    def test_empty_and_invalid_input(self) -> None:
        assert align_categories([]) == []
        with pytest.raises(TypeError, match="dfs: expected pandas DataFrames, got int"):
            align_categories([1])


def test_an_error_is_compared_with_the_median_where_a_value_is_near_zero() -> None:
    """An oscillator that crosses zero has no meaningful relative error there."""
    old = np.array([1e-9, 100.0, 200.0, 100.0])
    assert _relative(old, old + np.array([1e-6, 0.0, 0.0, 0.0])) == pytest.approx(1e-8)
    assert _relative(old, old + np.array([0.0, 0.0, 1.0, 0.0])) == pytest.approx(1 / 200)
