"""Objects that are packed already: published as they are, and checked without being unpacked. On both twins."""

from __future__ import annotations

import msgpack
import pytest

from fastcore.streaming import messages
from python_fallback.shared.framing import fanout


@pytest.fixture
def fan(twin):
    made = twin("framing").Fanout(epoch="e", history=5)
    made.connect("a")
    made.subscribe("a", "x")
    return made


@pytest.mark.parametrize("key", ["k", "ключ", b"k", 7, -1, 2**63, "k" * 300])
def test_the_payload_is_the_protocols_data_message(wire, fan, key):
    number = fan.topic_id("x")
    assert fan.publish_packed("x", msgpack.packb({"p": 1})) == 1
    assert fan.publish_packed("x", msgpack.packb([2]), key) == 2
    assert wire.tick(fan) == {"a": [[messages.DATA, number, 1, {"p": 1}], [messages.DATA, number, 2, [2], key]]}


def test_the_kind_is_that_of_the_protocol():
    assert fanout.DATA == messages.DATA


@pytest.mark.parametrize("offset", [127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63 - 1])
def test_offsets_of_every_length(wire, fan, offset):
    assert fan.publish_packed("x", b"\xc0", offset=offset) == offset
    assert wire.tick(fan) == {"a": [[messages.DATA, fan.topic_id("x"), offset, None]]}


def test_topics_of_every_number(wire, twin):
    fan = twin("framing").Fanout(max_subscriptions=300)
    fan.connect("a")
    names = [f"t{n}" for n in range(300)]
    for name in names:
        fan.subscribe("a", name)
        fan.publish_packed(name, b"\x01", name)
    assert wire.tick(fan)["a"] == [[messages.DATA, fan.topic_id(name), 1, 1, name] for name in names]


def test_the_payload_has_the_offset_that_is_returned(wire, fan):
    fan.renew("shared", 40)
    fan.subscribe("a", "new")
    assert fan.publish_packed("new", b"\x01") == 41
    assert wire.tick(fan) == {"a": [[messages.DATA, fan.topic_id("new"), 41, 1]]}


def test_history_and_counts_are_those_of_publish(wire, fan):
    for n in range(3):
        fan.publish_packed("x", msgpack.packb(n), "k")
    fan.connect("b")
    (told,) = fan.subscribe("b", "x", since=("e", {"x": 1}))
    assert told.recovered
    assert [message[2:] for message in wire.tick(fan)["b"]] == [[2, 1, "k"], [3, 2, "k"]]
    assert fan.stats().published == 3
    assert fan.offset("x") == 3


@pytest.mark.parametrize("body", [bytearray(b"\x01"), memoryview(b"\x01")])
def test_a_body_may_be_bytes_like(wire, fan, body):
    fan.publish_packed("x", body)
    assert wire.tick(fan)["a"] == [[messages.DATA, fan.topic_id("x"), 1, 1]]


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (("x", "text"), TypeError, "body: expected a bytes-like object, got str"),
        (("x", None), TypeError, "body: expected a bytes-like object, got NoneType"),
        (("x", b"\x01", 2**64), OverflowError, None),
        (("x", b"\x01", "\ud800"), UnicodeEncodeError, None),
        (("x", b"\x01", object()), TypeError, None),
    ],
)
def test_what_is_refused_is_not_published(wire, fan, arguments, error, text):
    with pytest.raises(error) as caught:
        fan.publish_packed(*arguments)
    assert text is None or str(caught.value) == text
    assert fan.offset("x") == 0
    assert fan.stats().published == 0
    assert wire.tick(fan) == {}


@pytest.mark.parametrize("offset", [0, -1, 3])
def test_a_repeated_offset_is_refused(fan, offset):
    fan.publish_packed("x", b"\x01", offset=3)
    with pytest.raises(ValueError, match=r"^offset: expected"):
        fan.publish_packed("x", b"\x01", offset=offset)


@pytest.mark.parametrize("obj", [None, 1, "text", [1, [2, {"a": b"x"}]], {"k" * 40: list(range(70))}, 2.5, b"x" * 300])
@pytest.mark.parametrize("rest", [b"", b"\x01", b"\xc1"])
def test_the_size_of_a_message(twin, obj, rest):
    data = msgpack.packb(obj)
    for given in (data + rest, bytearray(data + rest), memoryview(data + rest)):
        assert twin("framing").message_size(given) == len(data)


def test_a_message_is_measured_without_its_objects(twin):
    def refuse(*given):
        raise AssertionError

    data = msgpack.packb({"a": [1], "b": msgpack.ExtType(5, b"x")})
    assert twin("framing").message_size(data, object_hook=refuse, list_hook=refuse, ext_hook=refuse) == len(data)


@pytest.mark.parametrize(
    ("data", "options"),
    [
        (b"", {}),
        (b"\x92\x01", {}),
        (b"\xd9", {}),
        (b"\xc1", {}),
        (b"\x91\x91\x91\x01", {"max_depth": 2}),
        (b"\xa3abc", {"max_str_len": 2}),
        (msgpack.packb([1] * 1000), {"max_memory": 1000}),
        (b"\x81\x01\x01", {}),
        (b"\x01", {"max_depth": 0}),
        ("text", {}),
        (memoryview(b"12345678").cast("Q"), {}),
        (b"\x01", {"object_hook": len, "object_pairs_hook": len}),
    ],
)
def test_the_errors_are_those_of_unpacking(twin, data, options):
    f = twin("framing")
    with pytest.raises(Exception) as expected:
        f.unpackb(data, **options)
    with pytest.raises(type(expected.value)) as caught:
        f.message_size(data, **options)
    assert str(caught.value) == str(expected.value)


def test_an_unknown_option_is_refused(twin):
    with pytest.raises(TypeError, match=r"^message_size\(\) got an unexpected keyword argument 'colour'$"):
        twin("framing").message_size(b"\x01", colour=1)
