"""optimize_dataframe: what it keeps, what it reports and what it refuses."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fastcore import metrics
from fastcore.memory import frame_bytes, optimize_dataframe


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
def test_wrong_arguments_are_refused(
    prices: pd.DataFrame, kwargs: dict[str, object], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        optimize_dataframe(prices, **kwargs)


def test_not_a_frame() -> None:
    with pytest.raises(TypeError, match="df: expected a pandas DataFrame, got list"):
        optimize_dataframe([1, 2])
