"""packb on both twins: the msgpack package says what is right; what it leaves open is stated here."""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import enum
import math
from typing import Any

import msgpack
import numpy as np
import pandas as pd
import pytest

UTC = dt.UTC
NUMBERS = [
    0,
    1,
    31,
    32,
    127,
    128,
    255,
    256,
    65535,
    65536,
    2**30 - 1,
    2**30,
    2**31,
    2**32 - 1,
    2**32,
    2**60,
    2**63,
    2**64 - 1,
]
INTS = NUMBERS + [-n - 1 for n in NUMBERS if n < 2**63] + [-32, -33, -128, -129, -32768, -32769, -(2**31), -(2**31) - 1]
LENGTHS = [0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 255, 256, 2000, 2048, 2100, 65535, 65536]


class Point(collections.namedtuple("Point", "x y")):
    pass


class Colour(enum.IntEnum):
    RED = 1


PLAIN: list[Any] = [
    None,
    True,
    False,
    *INTS,
    0.0,
    -0.0,
    1.5,
    1e308,
    math.inf,
    -math.inf,
    "",
    "AAPL",
    "é",
    "日本",
    "\U0001f600",
    *["x" * n for n in LENGTHS],
    *["é" * n for n in LENGTHS],
    *[b"x" * n for n in LENGTHS],
    bytearray(b"abc"),
    memoryview(b"abc"),
    [],
    (),
    {},
    *[list(range(n)) for n in (15, 16, 65535, 65536)],
    *[dict.fromkeys(range(n)) for n in (15, 16, 65535, 65536)],
    {"a": [1, {"b": (2, 3)}], 1: 2, None: 3, (1, 2): 4, b"x": 5, 1.5: 6},
    Point(1, 2),
    Colour.RED,
    collections.Counter("aab"),
    collections.OrderedDict(a=1, b=2),
    collections.defaultdict(int, a=1),
    msgpack.ExtType(5, b""),
    *[msgpack.ExtType(127, b"x" * n) for n in (1, 2, 3, 4, 8, 16, 17, 255, 256, 65536)],
    msgpack.Timestamp(0),
    msgpack.Timestamp(2**32 - 1),
    msgpack.Timestamp(2**32),
    msgpack.Timestamp(1, 5),
    msgpack.Timestamp(2**34, 5),
    msgpack.Timestamp(-1, 999999999),
    np.float64(1.5),
]


@pytest.mark.parametrize("obj", PLAIN, ids=lambda o: f"{type(o).__name__}-{str(o)[:20].partition(' at 0x')[0]}")
def test_writes_what_the_msgpack_package_writes(twin, obj):
    assert twin("framing").packb(obj) == msgpack.packb(obj)


def test_nan_keeps_its_bits(twin):
    assert twin("framing").packb(math.nan) == msgpack.packb(math.nan)


@pytest.mark.parametrize("obj", ["x" * 40, "x" * 300, b"abc", b"x" * 40, b"x" * 300, b"x" * 70000, {"a": b"b"}])
def test_without_bin_type_bytes_are_packed_as_raw(twin, obj):
    assert twin("framing").packb(obj, use_bin_type=False) == msgpack.packb(obj, use_bin_type=False)


def test_single_floats(twin):
    f = twin("framing")
    assert f.packb([0.5, 1], use_single_float=True) == msgpack.packb([0.5, 1], use_single_float=True)
    with pytest.raises(OverflowError, match=r"float too large"):
        f.packb(1e300, use_single_float=True)


def test_an_ordered_dict_keeps_its_order(twin):
    obj = collections.OrderedDict(a=1, b=2)
    obj.move_to_end("a")
    assert twin("framing").packb(obj) == msgpack.packb({"b": 2, "a": 1})


@pytest.mark.parametrize(
    "obj", [object(), 1j, {1, 2}, range(3), dt.datetime(2024, 1, 1), decimal.Decimal(1), np.int64(1)]
)
def test_refuses_what_msgpack_has_no_type_for(twin, obj):
    with pytest.raises(TypeError, match=f"^obj: expected a type that msgpack has, got {type(obj).__name__}$"):
        twin("framing").packb([obj])


def test_a_frame_and_a_column_are_answered_with_what_packs_them(twin):
    frame = pd.DataFrame({"a": [1]})
    with pytest.raises(TypeError, match=r"got DataFrame; RowPacker packs its rows$"):
        twin("framing").packb({"rows": frame})
    with pytest.raises(TypeError, match=r"got Series; give its to_list\(\)$"):
        twin("framing").packb(frame["a"], numpy=True)


@pytest.mark.parametrize("obj", [2**64, -(2**63) - 1, 10**30, -(10**30)])
def test_refuses_ints_beyond_64_bits(twin, obj):
    f = twin("framing")
    with pytest.raises(OverflowError, match=r"^obj: expected an int in "):
        f.packb(obj)
    assert f.packb(obj, default=str) == msgpack.packb(str(obj))


def test_surrogates(twin):
    f = twin("framing")
    with pytest.raises(UnicodeEncodeError, match=r"surrogates not allowed"):
        f.packb({"a": "\ud800"})
    assert f.packb("\ud800", unicode_errors="surrogatepass") == b"\xa3\xed\xa0\x80"


def test_default_is_called_once_per_object(twin):
    f = twin("framing")
    assert f.packb({"s": {1}}, default=sorted) == msgpack.packb({"s": [1]})
    with pytest.raises(TypeError, match=r"got set$"):
        f.packb({1}, default=lambda o: o)
    asked = []
    assert f.packb(1j, default=lambda o: asked.append(o) or [2j] if o == 1j else "two") == msgpack.packb(["two"])
    assert asked == [1j]


def test_errors_of_default_are_raised_unchanged(twin):
    def default(obj):
        raise KeyError("mine")

    with pytest.raises(KeyError, match=r"mine"):
        twin("framing").packb([1, {2}], default=default)


def test_strict_types_leave_subclasses_to_default(twin):
    f = twin("framing")
    seen = []

    def default(obj):
        seen.append(type(obj))
        return 0

    obj = [Point(1, 2), Colour.RED, (1,), collections.Counter(), np.float64(1), [1, "a", 2.5, None, True, {}, b"x"]]
    assert f.packb(obj, strict_types=True, default=default) == msgpack.packb(
        obj, strict_types=True, default=lambda o: 0
    )
    assert seen == [Point, Colour, tuple, collections.Counter, np.float64]
    with pytest.raises(TypeError, match=r"got tuple$"):
        f.packb((1,), strict_types=True)


@pytest.mark.parametrize(
    "when",
    [
        dt.datetime(2024, 1, 2, 3, 4, 5, 678901, UTC),
        dt.datetime(1, 1, 1, tzinfo=UTC),
        dt.datetime(9999, 12, 31, 23, 59, 59, 999999, UTC),
        dt.datetime(1969, 12, 31, 23, 59, 59, 1, dt.timezone(dt.timedelta(hours=-5))),
    ],
)
def test_datetimes(twin, when):
    f = twin("framing")
    data = f.packb(when, datetime=True)
    assert data == msgpack.packb(when, datetime=True)
    assert f.unpackb(data, timestamp=3) == when


def test_datetimes_without_zone_are_refused(twin):
    f = twin("framing")
    with pytest.raises(ValueError, match=r"^obj: expected a datetime with tzinfo, got 2024-01-01T00:00:00$"):
        f.packb(dt.datetime(2024, 1, 1), datetime=True)
    assert f.packb(dt.datetime(2024, 1, 1), datetime=True, default=str) == msgpack.packb("2024-01-01 00:00:00")


def test_pandas_timestamps_keep_nanoseconds(twin):
    f = twin("framing")
    when = pd.Timestamp("2024-01-02T03:04:05.678901234Z")
    assert f.unpackb(f.packb(when, datetime=True), timestamp=2) == when.value


def test_decimals(twin):
    f = twin("framing")
    assert f.packb(decimal.Decimal("1.10"), decimal="str") == msgpack.packb("1.10")
    assert f.packb(decimal.Decimal("1.25"), decimal="float") == msgpack.packb(1.25)


NUMPY: list[tuple[Any, Any]] = [
    (np.bool_(True), True),
    (np.int8(-5), -5),
    (np.uint64(2**64 - 1), 2**64 - 1),
    (np.float32(0.1), float(np.float32(0.1))),
    (np.float16(0.5), 0.5),
    (np.longdouble(1.5), 1.5),
    (np.str_("a"), "a"),
    (np.bytes_(b"a"), b"a"),
    (np.array([1, 2]), [1, 2]),
    (np.array([[1.5, 2.5], [3, 4]], "f4"), [[1.5, 2.5], [3.0, 4.0]]),
    (np.array([], float), []),
    (np.array(5), 5),
    (np.arange(10)[::-2], [9, 7, 5, 3, 1]),
    (np.array(["a", None, 2], object), ["a", None, 2]),
    (np.array([True, False]), [True, False]),
    (np.datetime64("2024-01-01T00:00:00.5"), msgpack.Timestamp(1704067200, 500000000)),
    (np.datetime64("2024-01-01", "D"), msgpack.Timestamp(1704067200)),
    (np.datetime64("NaT", "s"), None),
    (np.array(["1969-12-31T23:59:59.999", "NaT"], "M8[ms]"), [msgpack.Timestamp(-1, 999000000), None]),
    (np.array([1.5], np.longdouble), [1.5]),
]


@pytest.mark.parametrize(("obj", "plain"), NUMPY, ids=lambda o: repr(o)[:40])
def test_numpy(twin, obj, plain):
    f = twin("framing")
    assert f.packb({"x": obj}, numpy=True) == msgpack.packb({"x": plain})


def test_numpy_types_without_msgpack_equivalent(twin):
    f = twin("framing")
    with pytest.raises(TypeError, match=r"got complex128$"):
        f.packb(np.complex128(1j), numpy=True)
    with pytest.raises(TypeError, match=r"got complex$"):
        f.packb(np.array([1j]), numpy=True)
    with pytest.raises(TypeError, match=r"got timedelta64$"):
        f.packb(np.timedelta64(1, "s"), numpy=True)
    assert f.packb(np.complex128(1j), numpy=True, default=str) == msgpack.packb("1j")


def test_an_array_that_contains_itself(twin):
    obj = np.empty((), object)
    obj[()] = obj
    with pytest.raises(ValueError, match=r"^max_depth: expected at most 128 nested levels, got more$"):
        twin("framing").packb(obj, numpy=True)


def nested(n: int, kind: type) -> Any:
    obj: Any = kind()
    for _ in range(n - 1):
        obj = kind({"a": obj}) if issubclass(kind, dict) else kind([obj])
    return obj


@pytest.mark.parametrize("kind", [list, tuple, dict, collections.OrderedDict])
def test_depth(twin, kind):
    f = twin("framing")
    assert f.packb(nested(128, kind)) == msgpack.packb(nested(128, kind))
    assert f.packb(nested(256, kind), max_depth=256) == msgpack.packb(nested(256, kind))
    for levels, limit in ((129, 128), (3, 2), (257, 256)):
        with pytest.raises(ValueError, match=f"^max_depth: expected at most {limit} nested levels, got more$"):
            f.packb(nested(levels, kind), max_depth=limit)


def test_self_containing_objects_exceed_max_depth(twin):
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(ValueError, match=r"^max_depth: "):
        twin("framing").packb(loop)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"default": 5}, TypeError, "default: expected a callable or None, got int"),
        ({"default": decimal.Decimal(5)}, TypeError, "default: expected a callable or None, got Decimal"),
        ({"unicode_errors": 5}, TypeError, "unicode_errors: expected a str or None, got int"),
        ({"max_depth": 0}, ValueError, "max_depth: expected an int in 1..256, got 0"),
        ({"max_depth": 2**70}, ValueError, f"max_depth: expected an int in 1..256, got {2**70}"),
        ({"max_depth": 1.5}, TypeError, "max_depth: expected an int in 1..256, got float"),
        ({"max_depth": True}, TypeError, "max_depth: expected an int in 1..256, got bool"),
        ({"decimal": "int"}, ValueError, "decimal: expected 'str', 'float' or None, got 'int'"),
        ({"colour": 1}, TypeError, "packb() got an unexpected keyword argument 'colour'"),
    ],
)
def test_options_are_checked(twin, options, error, text):
    with pytest.raises(error) as caught:
        twin("framing").packb(1, **options)
    assert str(caught.value) == text


def test_what_the_repr_of_an_option_raises_is_raised(twin):
    class Option:
        def __repr__(self):
            raise ZeroDivisionError("of the option")

    with pytest.raises(ZeroDivisionError, match="of the option"):
        twin("framing").packb(1, decimal=Option())


def test_calls_are_checked(twin):
    f = twin("framing")
    with pytest.raises(TypeError, match=r"^packb\(\) missing 1 required positional argument: 'obj'$"):
        f.packb()
    with pytest.raises(TypeError, match=r"^packb\(\) takes 1 positional argument but 2 were given$"):
        f.packb(1, 2)
