"""Refusals of the codec: unsupported types, values too large, and damaged or forged bytes."""

from __future__ import annotations

import datetime as dt
import os
import pickle
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcore.framing import ExtType, packb
from fastcore.tasks.codec import Codec, CodecError, TooLarge, Unserializable
from fastcore.tasks.codec.message import VERSION, join, split
from tests.tasks.codec.codec_types import Quote, Side

codec = Codec()


# ---- what cannot be stored ----


class Session:
    pass


@pytest.mark.parametrize(
    ("value", "got"),
    [
        (Session(), "test_codec_refusals.Session"),
        (lambda: 1, "function"),
        (Session, "type"),
        (OSError("x"), "OSError"),
        (np.ma.masked_array([1]), "MaskedArray"),
        (pd.array([1.0], dtype="Sparse[float]"), "SparseArray"),
        (pd.Series([1.0], dtype="Sparse[float]"), "Sparse"),
        (type("Sub", (dict,), {})(), "Sub"),
    ],
)
def test_other_types_are_refused_by_name(value: Any, got: str) -> None:
    with pytest.raises(Unserializable, match=rf"^argument 'data' of analyse: expected a .* got .*{got}.*; serializer="):
        codec.encode_call([1, [value]], {}, ["n", "data"], "analyse")
    with pytest.raises(Unserializable, match=r"^argument 'client': "):
        codec.encode_call([], {"n": 1, "client": value})
    with pytest.raises(TypeError, match=r"^result: "):
        codec.encode(value)


def test_self_containing_values_are_an_error() -> None:
    loop: list[Any] = []
    loop.append((loop,))
    with pytest.raises(Unserializable, match="nest"):
        codec.encode(loop)


# ---- limits ----


def test_the_argument_that_is_too_large_is_named_with_its_size_and_the_limit() -> None:
    small = Codec(max_bytes=10_000)
    with pytest.raises(TooLarge, match=r"^argument 'df' of analyse: expected at most 10000 bytes, got 160\d\d "):
        small.encode_call([1, pd.DataFrame(np.zeros((1000, 2)))], {"n": 1}, ["n", "df"], "analyse")
    with pytest.raises(
        TooLarge, match=r"^argument 'b' of analyse: 72\d\d bytes are most of the arguments; .* got 118\d\d "
    ):
        small.encode_call([np.zeros(575), np.zeros(900)], {}, ["a", "b"], "analyse")
    with pytest.raises(ValueError, match=r"^result: expected at most 10000 bytes, got 16\d\d\d \(max_bytes=10000\)$"):
        small.encode(np.zeros(2000))
    with pytest.raises(
        TooLarge, match=r"^argument 'text': expected at most 2500 bytes besides the data of arrays, got 30"
    ):
        small.encode_call([], {"text": "x" * 3000})
    assert len(small.encode(np.zeros(1000))) > 8000


def test_messages_that_are_too_large_are_not_decoded() -> None:
    large = codec.encode(np.zeros(2000))
    with pytest.raises(CodecError, match=r"^result: cannot be read: expected at most 10000 bytes, got 16"):
        Codec(max_bytes=10_000).decode(large)
    with pytest.raises(CodecError, match="besides the data of arrays"):
        Codec(max_bytes=10_000).decode(codec.encode("x" * 3000))


@pytest.mark.parametrize(("given", "kind"), [(1023, ValueError), ("1", TypeError), (True, TypeError)])
def test_wrong_limits_are_refused(given: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=r"^max_bytes: expected an int >= 1024, got "):
        Codec(max_bytes=given)


def test_a_wrong_serializer() -> None:
    with pytest.raises(ValueError, match=r"^serializer: expected one of msgpack, pickle, got 'yaml'$"):
        Codec("yaml")  # type: ignore[arg-type]


# ---- pickle, where it is asked for ----


class Bomb:
    def __reduce__(self) -> Any:
        return os.system, ("exit 3",)


def test_pickle_keeps_more_types_and_is_read_only_if_configured() -> None:
    pickler = Codec("pickle")
    data = pickler.encode([OSError("x"), np.arange(1000)])
    came = pickler.decode(data)
    assert type(came[0]) is OSError
    np.testing.assert_array_equal(came[1], np.arange(1000))
    came[1][0] = 5
    with pytest.raises(
        CodecError, match=r"^result: cannot be read: expected msgpack, got a pickle, which is read only with"
    ):
        codec.decode(pickler.encode(Bomb()))
    assert pickler.decode(codec.encode((1,))) == (1,)  # what a queue wrote before is read after the change
    with pytest.raises(TooLarge, match=r"^argument '0': expected at most 1024 bytes, got 8"):
        Codec("pickle", max_bytes=1024).encode_call([np.zeros(1000)], {})
    with pytest.raises(Unserializable, match=r"^argument '0': expected a value that can be pickled, got "):
        pickler.encode_call([lambda: 1], {})


# ---- hostile bytes ----


def test_a_damaged_head() -> None:
    good = codec.encode([1])
    assert good[2] == VERSION
    for bad, text in [
        (b"", "expected at least 8 bytes, got 0"),
        (b"garbage!" + good, "expected to begin with"),
        (good[:2] + b"\x63" + good[3:], "expected version 1, got 99: written by another release"),
        (good[:3] + b"x" + good[4:], "got b'x'"),
        (good[:4] + b"\xff\xff\xff\xff" + good[8:], "expected 4294967295 buffers, got"),
        (good[:4] + b"\0\0\0\1" + b"\xff" * 8 + good[8:], "expected buffers of 18446744073709551615 bytes"),
        (good + b"\1", "cannot be read"),
        (good[:-1], "cannot be read"),
    ]:
        with pytest.raises(CodecError, match=text):
            codec.decode(bad, "arguments of analyse")


def body(code: int, payload: Any, buffers: Any = ()) -> bytes:
    return join(b"m", packb(ExtType(code, packb(payload))), buffers)


@pytest.mark.parametrize(
    ("code", "payload"),
    [
        (32, ["O", [2**40], "C", b"\x90"]),
        (32, ["<f8", [2**40], "C", b"\0" * 8]),
        (32, ["<f8", [2**62, 2**62], "C", b""]),
        (32, ["|S0", [2**40], "C", b""]),
        (32, ["|O8", [1], "C", b"\0" * 8]),
        (32, [["fields", ["a"], ["O"], [0], 8, False, [None]], [1], "C", b"\0" * 8]),
        (32, [["fields", ["a"], ["<f8"], [80], 8, False, [None]], [1], "C", b"\0" * 8]),
        (32, [["sub", "<f8", [2**40, 2**40]], [1], "C", b"\0" * 8]),
        (32, ["i4,(1000000,1000000)f8", [1], "C", b"\0" * 4]),
        (32, ["<f8", [-1], "C", b""]),
        (32, ["<f8", [1], "K", b"\0" * 8]),
        (32, ["<f8", [1], "C", 7]),
        (33, ["|V1000000000", b""]),
        (34, "O8"),
        (14, "../../../../etc/passwd"),
        (16, ["os", "system", "x", None]),
        (16, ["tests.tasks.codec.codec_types", "Side", "HOLD", None]),
        (16, ["tests.tasks.codec.codec_types", "Side.__class__", "BUY", None]),
        (16, ["antigravity", "Side", "BUY", None]),
        (17, ["os", "system", ["a", "b"], [1]]),
        (17, ["x", "Evil", ["a=1):pass\n#"], [1]]),
        (2, [[1]]),
        (7, "not a number"),
        (8, b"short"),
        (13, [1]),
        (48, [1, "fortnight", None]),
        (50, ["x", "M"]),
        (53, ["string", "python", "NA", b"\x91\x01"]),
        (54, ["range", 0, 5, 0, None]),
        (54, ["multi", [], [], []]),
        (55, [[1], [1], None, {}, True]),
        (56, [[], [], [], {}, True]),
        (63, None),
        (127, None),
    ],
)
def test_inconsistent_messages_are_errors(code: int, payload: Any) -> None:
    with pytest.raises(CodecError, match=r"^result: cannot be read: "):
        codec.decode(body(code, payload))
    assert "antigravity" not in sys.modules


def test_a_buffer_is_used_once() -> None:
    array = ExtType(32, packb(["<f8", [1000], "C", 0]))
    with pytest.raises(CodecError, match="expected to be used once"):
        codec.decode(join(b"m", packb([array, array]), [bytes(8000)]))


def test_nesting_is_bounded() -> None:
    inner = packb(None)
    for _ in range(2000):
        inner = packb(ExtType(1, packb([ExtType(1, inner)])))
        if len(inner) > 20_000:
            break
    with pytest.raises(CodecError, match="nest"):
        codec.decode(join(b"m", inner, []))


def test_a_pickled_object_within_an_array_is_not_read() -> None:
    evil = pickle.dumps(Bomb())
    with pytest.raises(CodecError):
        codec.decode(body(32, ["O", [1], "C", evil]))


COLUMNS = {
    "float": [1.5, np.nan, -0.0, np.inf],
    "str": ["a", None, "c", ""],
    "object": pd.array([(1,), None, "x", 2.5], dtype=object),
    "category": pd.Categorical(["b", "a", None, "b"]),
    "Int64": pd.array([1, None, 3, 2**62], dtype="Int64"),
    "period": pd.period_range("2024-01", periods=4, freq="M"),
    "interval": pd.interval_range(0, 4),
}
SAMPLES = [
    codec.encode(value)
    for value in (
        [1, {"a": (2.5, {3}), (1, 2): None}, dt.datetime(2024, 1, 1, tzinfo=dt.UTC), Side.BUY, Quote(1, 2)],
        np.arange(60).reshape(6, 10),
        pd.DataFrame(COLUMNS, index=pd.date_range("2024", periods=4, tz="UTC")),
        pd.Series(range(4), index=pd.MultiIndex.from_product([["x", "y"], [1.5, np.nan]])),
    )
]


@pytest.mark.filterwarnings("ignore")  # of values that make no sense
@settings(max_examples=400, deadline=None)
@given(st.sampled_from(SAMPLES), st.lists(st.tuples(st.integers(0), st.integers(0, 255)), min_size=1, max_size=6))
def test_damaged_messages_are_read_or_refused(message: bytes, changes: list[tuple[int, int]]) -> None:
    damaged = bytearray(message)
    for at, byte in changes:
        damaged[at % len(damaged)] = byte
    try:
        codec.decode(bytes(damaged))
    except CodecError:
        pass


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(SAMPLES), st.integers(0))
def test_a_message_cut_short_is_refused(message: bytes, at: int) -> None:
    with pytest.raises(CodecError):
        codec.decode(message[: at % len(message)])


def test_split_is_the_inverse_of_join() -> None:
    serializer, inner, buffers = split(join(b"m", b"body", [b"one", b"", b"three"]))
    assert (serializer, bytes(inner), [bytes(b) for b in buffers]) == (b"m", b"body", [b"one", b"", b"three"])
