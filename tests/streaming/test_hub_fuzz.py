"""The inbound path against whatever a client may send: made-up inputs, and those that a fuzzer found worth keeping."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcore.framing import packb
from fastcore.streaming.messages import BadMessage, Connect, Pong, Subscribe, Token, Unsubscribe, comes_back, parse
from tests.fuzz.inbound import drive, seeds

CORPUS = sorted((Path(__file__).parent.parent / "fuzz" / "corpus" / "inbound").glob("*"))

leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=5)
)
trees = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(["since", "token", "topics", "a"]), inner)
    ),
    max_leaves=12,
)
names = st.lists(st.sampled_from(["a", "a.*", ">", "a..b", "", "x" * 30, "a.b"]), max_size=10)
near = st.tuples(st.sampled_from([0, 3, 4, 6, 8]), st.integers(-1, 3), names | trees, trees).map(list)
frames = st.tuples(
    st.sampled_from([0x82, 0x82, 0x82, 0x02, 0x80, 0x00, 0x89, 0x8A, 0x88, 0x81, 0xC2, 0xB2]),
    (near | trees).map(packb) | st.binary(max_size=40),
).map(lambda pair: bytes([pair[0], min(len(pair[1]), 255)]) + pair[1][:255])
inputs = st.tuples(st.sampled_from([0x00, 0x02, 0x10, 0x20, 0x32]), st.lists(frames, max_size=8)).map(
    lambda pair: bytes([pair[0]]) + b"".join(pair[1])
)


@settings(max_examples=100, deadline=None)
@given(inputs | st.binary(max_size=200))
def test_no_input_breaks_an_invariant(data: bytes) -> None:
    asyncio.run(drive(data))


@pytest.mark.parametrize("n", range(0, max(len(CORPUS), 1), 100))
def test_every_message_of_the_corpus_is_handled(n: int) -> None:
    async def each() -> None:
        for path in CORPUS[n : n + 100]:
            await drive(path.read_bytes())

    assert CORPUS, "the corpus is missing"
    asyncio.run(each())


def test_messages_of_fixed_seeds_are_handled() -> None:
    async def each() -> None:
        for seed in seeds():
            await drive(seed)

    asyncio.run(each())


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60) | trees.map(packb) | near.map(packb))
def test_a_message_is_read_or_refused(data: bytes) -> None:
    refusal = None
    found = []
    try:
        found += parse(data)
    except BadMessage as error:
        refusal = error
    assert all(isinstance(one, (Connect, Subscribe, Unsubscribe, Token, Pong)) for one in found)
    if refusal is None:
        assert found
    else:
        assert "expected" in str(refusal)
        assert 0 <= refusal.ref <= 2**53


def test_written_values_are_read_back() -> None:
    since = ["e", {"a": 3}]
    data = (
        packb([3, 5, ["a", "b", "a"], {"since": since, "newest": True, "later": 1}])
        + packb([8, 6, "t"])
        + packb([6, "more"])
    )
    assert list(parse(data)) == [Subscribe(5, ["a", "b"], ("e", {"a": 3}), True), Token(6, "t"), Pong()]
    assert list(parse(packb([0]))) == [Connect(None, None)]
    with pytest.raises(BadMessage, match="at most 64 values"):
        list(parse(packb([6]) * 65))
    assert len(list(parse(packb([6]) * 64))) == 64


def test_which_close_codes_allow_reconnecting() -> None:
    assert [
        code for code in (1000, 1002, 1003, 1007, 1008, 1009, 2999, 3500, 3999, 4500, 4999) if comes_back(code)
    ] == []
    assert all(map(comes_back, (1001, 1006, 1011, 1012, 1013, 3000, 3008, 3499, 4000, 4499)))
