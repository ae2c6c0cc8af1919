"""frame on both twins; the websockets package reads the frames, as a client would."""

from __future__ import annotations

import msgpack
import pytest
from websockets.frames import Frame, Opcode

from fastcore import framing
from tests.conftest import PURE_ONLY

LENGTHS = [0, 1, 124, 125, 126, 127, 2040, 2100, 65534, 65535, 65536, 65537, 65540, 200_000]


@pytest.mark.parametrize("n", LENGTHS)
def test_frames_are_whole(twin, wire, n):
    found = wire.parse(twin("framing").frame(b"x" * n))
    assert (found.fin, found.opcode, found.rsv1) == (True, Opcode.BINARY, False)
    assert found.data == msgpack.packb(b"x" * n)


@pytest.mark.parametrize("n", LENGTHS)
def test_prepacked_payloads(twin, wire, n):
    f = twin("framing")
    assert wire.parse(f.frame_packed(b"x" * n)).data == b"x" * n
    assert wire.parse(f.frame_packed(bytearray(b"x" * n), text=True)).opcode == Opcode.TEXT


@pytest.mark.parametrize("n", LENGTHS)
def test_lengths_take_the_fewest_bytes(twin, n):
    """RFC 6455, 5.2: the minimal number of bytes must be used; as the websockets package writes them."""
    f = twin("framing")
    payload = msgpack.packb(b"x" * max(n - 5, 0))  # of any length, as `frame` is given an object
    for opcode, data, text in [(Opcode.BINARY, b"x" * n, False), (Opcode.TEXT, b"x" * n, True)]:
        assert f.frame_packed(data, text=text) == Frame(opcode, data).serialize(mask=False)
    assert f.frame(b"x" * max(n - 5, 0)) == Frame(Opcode.BINARY, payload).serialize(mask=False)
    fan = f.Fanout()
    fan.connect("a")
    fan.subscribe("a", "t")
    fan.publish("t", payload=b"x" * n)
    assert fan.tick() == {"a": (Frame(Opcode.BINARY, b"x" * n).serialize(mask=False),)}


@pytest.mark.parametrize("wbits", [9, 12, 15])
@pytest.mark.parametrize("level", [1, 6, 9])
def test_deflated_frames_are_read_by_a_client(twin, wire, wbits, level):
    obj = [{"symbol": f"S{i}", "price": i / 7} for i in range(500)]
    data = twin("framing").frame(obj, compress=True, wbits=wbits, level=level)
    assert len(data) < len(msgpack.packb(obj))
    assert data[0] == 0xC2
    reader = wire.client(wbits)
    for _ in range(2):  # the same frame again: it leans on no context
        found = wire.parse(data, reader)
        assert msgpack.unpackb(found.data) == obj


def test_incompressible_payloads_stay_plain(twin, wire):
    f = twin("framing")
    assert f.frame({"a": 1}, True) == f.frame({"a": 1})
    noise = bytes(range(256)) * 2
    assert f.frame(bytes(range(256)), True, threshold=0) == f.frame(bytes(range(256)))
    assert f.frame(noise, True, threshold=10**6) == f.frame(noise)
    assert wire.parse(f.frame("", True, threshold=0), wire.client(12)).data == b"\xa0"


def test_options_reach_the_packer(twin):
    f = twin("framing")
    assert f.frame({1}, default=sorted) == f.frame([1])
    assert f.frame({1}, False, default=sorted) == f.frame([1])
    assert f.frame([{1}] * 500, compress=True, default=sorted) == f.frame([[1]] * 500, compress=True)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"wbits": 8}, ValueError, "wbits: expected an int in 9..15, got 8"),
        ({"level": 10}, ValueError, "level: expected an int in 0..9, got 10"),
        ({"threshold": "x"}, TypeError, f"threshold: expected an int in 0..{2**63 - 1}, got str"),
        ({"colour": 1}, TypeError, "frame() got an unexpected keyword argument 'colour'"),
    ],
)
def test_options_are_checked(twin, options, error, text):
    with pytest.raises(error) as caught:
        twin("framing").frame(1, compress=True, **options)
    assert str(caught.value) == text


@pytest.mark.skipif(PURE_ONLY, reason="changes the twin")
def test_the_public_functions_follow_the_flag():
    from fastcore import flags

    for mode in ("python", "compiled"):
        with flags.override("framing", mode):
            assert framing.unpackb(framing.packb({"a": 1})) == {"a": 1}
            assert framing.frame(1) == b"\x82\x01\x01"
            assert framing.frame_packed(b"\x01") == b"\x82\x01\x01"
    assert framing.packb.report().control.calls >= 1
