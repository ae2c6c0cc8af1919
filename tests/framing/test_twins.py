"""The twins against each other: the same bytes, the same objects, the same errors in the same words."""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import enum
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fastcore import _ext
from fastcore.dispatch import backends

pytestmark = pytest.mark.skipif(_ext.probe("framing").module is None, reason="there is one twin only")


class Number(int):
    pass


class Text(str):
    __slots__ = ()


class Real(float):
    pass


class Colour(enum.IntEnum):
    RED = 70000


def outcome(call: Any) -> Any:
    """What a call comes to: its result, or its error and what that says."""
    try:
        return repr(call())
    except RecursionError:
        raise
    except Exception as error:
        return type(error), str(error)


def agree(call: Any) -> Any:
    compiled, python = (
        outcome(lambda name=name: call(backends.twin("framing", name))) for name in ("compiled", "python")
    )
    assert compiled == python
    return compiled


INTS = st.one_of(
    st.integers(-(2**64), 2**65),
    st.sampled_from([s * 2**b + d for b in (5, 7, 8, 15, 16, 31, 32, 63, 64) for s in (1, -1) for d in (-1, 0, 1)]),
)
TEXTS = st.one_of(
    st.text(max_size=40),
    st.text(st.characters(codec="utf-8"), min_size=250, max_size=260),
    st.text(st.characters(categories=["Cs", "Lu"]), max_size=3),
)
WHEN = st.datetimes(timezones=st.sampled_from([dt.UTC, dt.timezone(dt.timedelta(hours=-5, minutes=3))]))
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    INTS,
    st.floats(),
    TEXTS,
    st.binary(max_size=300),
    st.binary(max_size=5).map(bytearray),
    st.binary(max_size=8).map(lambda b: memoryview(b)[::2]),
    INTS.map(Number),
    st.floats().map(Real),
    TEXTS.map(Text),
    st.just(Colour.RED),
    WHEN,
    st.datetimes(),
    st.decimals(),
    st.builds(msgpack.ExtType, st.integers(0, 127), st.binary(max_size=20)),
    st.builds(msgpack.Timestamp, st.integers(-(2**64), 2**64), st.integers(0, 999999999)),
    st.floats().map(np.float64),
    st.floats(width=32).map(np.float32),
    st.integers(-128, 127).map(np.int8),
    st.sampled_from(
        [
            np.datetime64("2024-01-01T01:02:03.5"),
            np.datetime64("NaT", "s"),
            np.timedelta64(1, "s"),
            np.complex64(1),
            np.bool_(True),
        ]
    ),
    st.lists(st.floats(), max_size=4).map(np.array),
    st.just(object),
    st.just(1j),
)
KEYS = st.one_of(st.text(max_size=12), INTS, st.none(), st.binary(max_size=3), st.tuples(INTS), TEXTS)
OBJECTS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=20),
        st.tuples(inner, inner),
        st.dictionaries(KEYS, inner, max_size=20),
        st.dictionaries(KEYS, inner, max_size=3).map(collections.OrderedDict),
        st.dictionaries(st.text(max_size=3), inner, max_size=3).map(lambda d: collections.defaultdict(list, d)),
    ),
    max_leaves=30,
)


def shallow(obj: Any) -> Any:
    return [type(obj).__name__, 5] if not isinstance(obj, complex) else obj


PACK_OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "default": st.sampled_from([None, shallow, repr]),
        "use_single_float": st.booleans(),
        "use_bin_type": st.booleans(),
        "strict_types": st.booleans(),
        "datetime": st.booleans(),
        "unicode_errors": st.sampled_from([None, "strict", "replace", "surrogatepass", "nonsense"]),
        "numpy": st.booleans(),
        "decimal": st.sampled_from([None, "str", "float"]),
        "max_depth": st.integers(1, 5),
    },
)


@settings(max_examples=100, deadline=None)
@given(OBJECTS, PACK_OPTIONS)
def test_packing(obj, options):
    agree(lambda f: f.packb(obj, **options))
    agree(lambda f: f.frame(obj, **options))
    agree(lambda f: f.Packer(**options).pack(obj))


def coded(obj: Any) -> bytes:
    try:
        data: bytes = msgpack.packb(obj, default=repr, datetime=True, unicode_errors="replace")
    except (ValueError, OverflowError, BufferError):
        return b""
    return data


HEADS = st.integers(0x80, 0xFF).map(lambda b: bytes((b,)))
SIZES = st.sampled_from([b"\x00", b"\x01", b"\x00\x02", b"\x00\x00\x00\x03", b"\xff\xff\xff\xff", b"\xff"])
MESSAGES = st.one_of(
    st.binary(max_size=60),
    st.lists(st.one_of(HEADS, SIZES, st.binary(max_size=3)), max_size=40).map(b"".join),
    OBJECTS.map(coded),
)


@st.composite
def damaged(draw: Any) -> bytes:
    """Messages, whole or with a few bytes changed, taken out or cut off."""
    data = bytearray(draw(MESSAGES))
    for _ in range(draw(st.integers(0, 3))):
        if data:
            i = draw(st.integers(0, len(data) - 1))
            match draw(st.integers(0, 3)):
                case 0:
                    data[i] = draw(st.integers(0, 255))
                case 1:
                    del data[i]
                case 2:
                    del data[i:]
                case _:
                    data.insert(i, draw(st.integers(0x80, 0xFF)))
    return bytes(data)


def hook(obj: Any) -> Any:
    return ["hooked", obj] if len(obj) % 3 else obj


LIMITS = st.one_of(st.none(), st.integers(0, 20))
UNPACK_OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "use_list": st.booleans(),
        "raw": st.booleans(),
        "timestamp": st.integers(0, 3),
        "strict_map_key": st.booleans(),
        "object_hook": st.sampled_from([None, hook, dict.popitem]),
        "object_pairs_hook": st.sampled_from([None, hook]),
        "list_hook": st.sampled_from([None, hook]),
        "ext_hook": st.sampled_from([None, lambda code, data: (code, data)]),
        "unicode_errors": st.sampled_from([None, "strict", "replace", "nonsense"]),
        "max_str_len": LIMITS,
        "max_bin_len": LIMITS,
        "max_array_len": LIMITS,
        "max_map_len": LIMITS,
        "max_ext_len": LIMITS,
        "max_depth": st.integers(1, 6),
        "max_memory": st.one_of(st.none(), st.integers(0, 3000)),
    },
)


@settings(max_examples=400, deadline=None)
@given(damaged(), UNPACK_OPTIONS)
@example(b"\xc7\x00\xff", {})
@example(b"\xd4\x80a", {})
@example(b"\x81\xc0\xc0", {"strict_map_key": False})
def test_unpacking(data, options):
    agree(lambda f: f.unpackb(data, **options))


@settings(max_examples=120, deadline=None)
@given(st.lists(damaged(), max_size=4), st.integers(1, 30), UNPACK_OPTIONS, st.sampled_from([0, 10, 50]))
def test_streams(messages, size, options, max_buffer_size):
    data = b"".join(messages)
    steps = [data[i : i + size] for i in range(0, len(data), size)]

    def life(f: Any) -> list[Any]:
        unpacker = f.Unpacker(max_buffer_size=max_buffer_size, **options)
        events: list[Any] = []
        for step in steps:
            events.append(outcome(lambda step=step: unpacker.feed(step)))
            for name in ("unpack", "read_array_header", "unpack", "read_map_header", "skip"):
                events.append(outcome(getattr(unpacker, name)))
            events += [outcome(lambda: list(unpacker)), unpacker.tell()]
        return [*events, outcome(lambda: unpacker.read_bytes(5)), unpacker.tell()]

    agree(life)


PLAIN = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False), st.text(), st.binary()
    ),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
)


@settings(max_examples=100, deadline=None)
@given(PLAIN)
def test_round_trips(obj):
    for name in ("compiled", "python"):
        f = backends.twin("framing", name)
        data = f.packb(obj)
        assert data == msgpack.packb(obj)
        assert f.unpackb(data) == obj


COLUMNS = st.integers(0, 30).flatmap(
    lambda n: st.lists(
        st.one_of(
            st.lists(OBJECTS, min_size=n, max_size=n),
            st.lists(st.floats(), min_size=n, max_size=n).map(np.array),
            st.lists(st.integers(-(2**63), 2**63 - 1), min_size=n, max_size=n).map(lambda v: np.array(v, "i8")),
            st.lists(st.integers(0, 2**64 - 1), min_size=n, max_size=n).map(lambda v: np.array(v, "u8")),
            st.lists(st.text(max_size=40), min_size=n, max_size=n).map(lambda v: np.array(v, "U")),
            st.lists(st.integers(-(2**63), 2**63 - 1), min_size=n, max_size=n).map(lambda v: np.array(v, "M8[ns]")),
            st.lists(st.integers(-(2**40), 2**40), min_size=n, max_size=n).map(lambda v: np.array(v, "M8[s]")),
        ),
        min_size=1,
        max_size=4,
    )
)


@settings(max_examples=100, deadline=None)
@given(COLUMNS, st.sampled_from(["map", "array"]), st.booleans(), PACK_OPTIONS)
def test_rows(columns, rows, nan_as_none, options):
    names = ["a", "é", "a name that is longer than sixteen", "d"][: len(columns)]
    agree(lambda f: f.RowPacker(names, rows=rows, nan_as_none=nan_as_none, **options).pack(columns))


def test_decimal_of_every_kind():
    for text in ("NaN", "sNaN", "Infinity", "1E+1000000", "-0.10"):
        for form in ("str", "float"):
            agree(lambda f, text=text, form=form: f.packb(decimal.Decimal(text), decimal=form))
