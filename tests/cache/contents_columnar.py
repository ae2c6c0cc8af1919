"""Contents of polars and pyarrow of which no two are alike."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from typing import Any

import numpy as np
import pandas as pd

from tests.cache.cell_objects import Order, long_array


def polars_contents() -> dict[str, Any]:
    try:
        import polars as pl
    except ImportError:
        return {}
    instant, day = dt.datetime(2024, 1, 1), dt.timedelta(1)
    decimals = [decimal.Decimal("1.10"), None]

    def series(values: Any, dtype: Any = None) -> Any:
        return pl.Series("a", values, dtype=dtype)

    numbers = [pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.Int128, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64]
    return {
        **{f"number {dtype}": series([1, None], dtype) for dtype in (*numbers, pl.Float32, pl.Float64)},
        "frame": pl.DataFrame({"a": [1, 2]}),
        "frame of no columns": pl.DataFrame(),
        "frame of no rows": pl.DataFrame({"a": []}, schema={"a": pl.Int64}),
        "frame, renamed": pl.DataFrame({"b": [1, 2]}),
        "frame in another order": pl.DataFrame({"a": [2, 1]}),
        "two columns": pl.DataFrame({"a": [1], "b": [2]}),
        "two columns in another order": pl.DataFrame({"b": [2], "a": [1]}),
        "series": series([1, 2]),
        "other name": pl.Series("b", [1, 2]),
        "gap and nought": series([0, None, 0]),
        "nought and gap": series([0, 0, None]),
        "gap first": series([None, 0, 0]),
        "NaN and gap": series([float("nan"), None]),
        "gap and NaN": series([None, float("nan")]),
        "Int128": series([2**100], pl.Int128),
        "other Int128": series([2**100 + 1], pl.Int128),
        "Decimal": series(decimals),
        "other Decimal": series([decimal.Decimal("1.20"), None]),
        "Decimal of another scale": series([decimal.Decimal("1.100"), None]),
        "long Decimal": series([decimal.Decimal("12345678901234567890.123456789")]),
        "other long Decimal": series([decimal.Decimal("12345678901234567890.123456788")]),
        "booleans": series([True, None, False]),
        "other booleans": series([True, False, None]),
        "text": series(["a", None]),
        "empty text": series(["a", ""]),
        "text, cut elsewhere": series(["ab", "c"]),
        "text cut": series(["a", "bc"]),
        "binary": series([b"a", None]),
        "other binary": series([b"b", None]),
        "Categorical": series(["a", "b"], pl.Categorical),
        "other Categorical": series(["b", "a"], pl.Categorical),
        "Enum": series(["a", None], pl.Enum(["a", "b"])),
        "Enum in another order": series(["a", None], pl.Enum(["b", "a"])),
        "list": series([[1.0, 2.0], None, []]),
        "list, gap elsewhere": series([[1.0, 2.0], [], None]),
        "list, cut elsewhere": series([[1.0], [2.0], None]),
        "list of a gap": series([[1.0, None], None, []]),
        "list of lists": series([[[1], [2]], [[3]]]),
        "list of lists, cut elsewhere": series([[[1, 2]], [[3]]]),
        "list of text": series([["a"], ["b"]]),
        "list of texts": series([["a", "b"], []]),
        "list of categories": series([["a", "b"]], pl.List(pl.Enum(["a", "b"]))),
        "list of other categories": series([["a", "b"]], pl.List(pl.Enum(["b", "a"]))),
        "Array": series([[1.0, 2.0]], pl.Array(pl.Float64, 2)),
        "other Array": series([[1.0, 3.0]], pl.Array(pl.Float64, 2)),
        "Array of another width": series([[1.0], [2.0]], pl.Array(pl.Float64, 1)),
        "struct": series([{"x": 1, "y": None}]),
        "other struct": series([{"x": 2, "y": None}]),
        "struct of other names": series([{"x": 1, "z": None}]),
        "struct of gaps": series([{"x": 1, "y": 1}, {"x": None, "y": None}]),
        "gap of a struct": series([{"x": 1, "y": 1}, None]),
        "struct of a list": series([{"x": [1, 2]}, {"x": [3]}]),
        "struct of a list, cut elsewhere": series([{"x": [1]}, {"x": [2, 3]}]),
        "date": series([instant.date()]),
        "datetime": series([instant]),
        "datetime in ns": series([instant], pl.Datetime("ns")),
        "datetime in UTC": series([instant]).dt.replace_time_zone("UTC"),
        "datetime in Tokyo": series([instant]).dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo"),
        "duration": series([day]),
        "other duration": series([2 * day]),
        "duration in ms": series([day], pl.Duration("ms")),
        "time": series([dt.time(1)]),
        "other time": series([dt.time(2)]),
        "Null": series([None, None]),
        "longer Null": series([None, None, None]),
        "integers of gaps": series([None, None], pl.Int64),
        "objects": pl.Series("a", [Order(1)], dtype=pl.Object),
        "other objects": pl.Series("a", [[long_array(True)]], dtype=pl.Object),
        "objects that differ in the middle": pl.Series("a", [[long_array(False)]], dtype=pl.Object),
    }


def arrow_contents() -> dict[str, Any]:
    try:
        import pyarrow as pa
    except ImportError:
        return {}
    decimals = [decimal.Decimal("1.0000000001"), None]
    arrays: dict[str, Any] = {
        "ints": pa.array([1, 2, None]),
        "ints, gap elsewhere": pa.array([1, None, 2]),
        "nought": pa.array([1, 2, 0]),
        "floats": pa.array([1.0, 2.0, None]),
        "half floats": pa.array(np.array([1, 2], "f2")),
        "booleans": pa.array([True, None]),
        "other booleans": pa.array([True, False]),
        "text": pa.array(["a", None]),
        "empty text": pa.array(["a", ""]),
        "large text": pa.array(["a", None], pa.large_string()),
        "text in views": pa.array(["a", None], pa.string_view()),
        "binary": pa.array([b"a", None]),
        "decimals": pa.array(decimals, pa.decimal128(20, 10)),
        "wide decimals": pa.array(decimals, pa.decimal256(20, 10)),
        "other decimals": pa.array([decimal.Decimal("1.0000000002"), None], pa.decimal128(20, 10)),
        "seconds": pa.array([1, None], pa.timestamp("s")),
        "nanoseconds": pa.array([1, None], pa.timestamp("ns")),
        "nanoseconds in UTC": pa.array([1, None], pa.timestamp("ns", "UTC")),
        "other nanoseconds in UTC": pa.array([2, None], pa.timestamp("ns", "UTC")),
        "days": pa.array([1, None], pa.date32()),
        "milliseconds": pa.array([86_400_000, None], pa.date64()),
        "times in s": pa.array([1, None], pa.time32("s")),
        "times in us": pa.array([1, None], pa.time64("us")),
        "durations": pa.array([1, None], pa.duration("us")),
        "months": pa.array([(1, 2, 3)], pa.month_day_nano_interval()),
        "other months": pa.array([(1, 2, 4)], pa.month_day_nano_interval()),
        "lists": pa.array([[1], None, []]),
        "other lists": pa.array([[1], [], None]),
        "structs": pa.array([{"x": 1}, None]),
        "structs of gaps": pa.array([{"x": 1}, {"x": None}]),
        "maps": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
        "dictionary": pa.array(["a", "b"]).dictionary_encode(),
        "other dictionary": pa.array(["b", "a"]).dictionary_encode(),
        "nulls": pa.nulls(2),
        "extension": pa.array([uuid.UUID(int=1).bytes], pa.uuid()),
    }
    return {
        **arrays,
        **{f"pandas {name}": pd.Series(pd.arrays.ArrowExtensionArray(values)) for name, values in arrays.items()},
        "table": pa.table({"a": [1, 2]}),
        "renamed table": pa.table({"b": [1, 2]}),
        "other table": pa.table({"a": [1, 3]}),
        "table of no rows": pa.table({"a": pa.array([], pa.int64())}),
        "text of pandas in arrow": pd.Series(["a", None], dtype=pd.StringDtype("pyarrow")),
    }
