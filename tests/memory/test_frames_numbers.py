"""Narrower columns of numbers: int32, float32, counts of ticks, and the bounds of their errors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcore.memory import optimize_dataframe
from fastcore.memory.bounds import _relative

BIG = 2**30


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


def test_an_error_is_compared_with_the_median_where_a_value_is_near_zero() -> None:
    """An oscillator that crosses zero has no meaningful relative error there."""
    old = np.array([1e-9, 100.0, 200.0, 100.0])
    assert _relative(old, old + np.array([1e-6, 0.0, 0.0, 0.0])) == pytest.approx(1e-8)
    assert _relative(old, old + np.array([0.0, 0.0, 1.0, 0.0])) == pytest.approx(1 / 200)
