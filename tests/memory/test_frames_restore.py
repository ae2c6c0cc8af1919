"""The way back: `report.restore()`."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fastcore.memory import optimize_dataframe


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
    def test_changed_tick_counts_are_restored_to_prices(self, bars: pd.DataFrame, change: Any) -> None:
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

    def test_restoring_twice_changes_nothing(self, prices: pd.DataFrame) -> None:
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
