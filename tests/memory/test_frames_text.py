"""Columns and indexes of text: categories, dates and shared strings."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcore.memory import align_categories, frame_bytes, optimize_dataframe


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

    def test_columns_that_are_not_a_category_everywhere_are_unchanged(self) -> None:
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
