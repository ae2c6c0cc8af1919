"""RFC 6455 and RFC 7692 through `HubProtocol`, by an application that echoes: the cases of a conformance run."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest

from examples.ws_echo import app
from tests.loops import STANDARD_LOOPS
from tests.streaming.raw_client import (
    BINARY,
    CLOSE,
    CONT,
    PING,
    PONG,
    TEXT,
    Frame,
    RawClient,
    deflated,
    frame,
    inflated,
)
from tests.streaming.running import Running

MAX_SIZE = 1 << 20


@pytest.fixture(scope="module", params=STANDARD_LOOPS)
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    http = {"asyncio": "h11", "uvloop": "httptools"}[request.param]
    with Running(app, loop=request.param, http=http, ws_max_size=MAX_SIZE) as server:
        yield server.port


@pytest.fixture
def client(port: int) -> Iterator[RawClient]:
    with RawClient(port, "/echo") as client:
        yield client


def expect(client: RawClient, opcode: int, data: bytes) -> None:
    found = client.read()
    assert found == Frame(True, 0, opcode, data)


# -- 1: framing -----------------------------------------------------------------------------


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 128, 65535, 65536])
def test_every_length(client: RawClient, opcode: int, size: int) -> None:
    data = b"*" * size if opcode == TEXT else os.urandom(size)
    client.write(frame(opcode, data))
    expect(client, opcode, data)


@pytest.mark.parametrize("chop", [1, 7, 997])
def test_reads_of_any_size(client: RawClient, chop: int) -> None:
    data = os.urandom(300 * chop)[:70000]
    client.write(frame(BINARY, data), chop=chop)
    expect(client, BINARY, data)


def test_many_messages_in_one_write_are_echoed_in_order(client: RawClient) -> None:
    client.write(b"".join(frame(TEXT, str(n).encode()) for n in range(500)))
    for n in range(500):
        expect(client, TEXT, str(n).encode())


# -- 2: pings and pongs -----------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"Hello", bytes(range(0x80, 0x80 + 125))])
def test_a_ping_is_answered_with_its_payload(client: RawClient, data: bytes) -> None:
    client.write(frame(PING, data), chop=3)
    expect(client, PONG, data)


def test_a_ping_of_126_bytes_fails(client: RawClient) -> None:
    client.write(frame(PING, b"*" * 126))
    assert client.closed() == 1002


def test_unsolicited_pongs_are_ignored(client: RawClient) -> None:
    client.write(frame(PONG) + frame(PONG, b"unsolicited") + frame(PING, b"ping"))
    expect(client, PONG, b"ping")


def test_ten_pings(client: RawClient) -> None:
    client.write(b"".join(frame(PING, bytes([n])) for n in range(10)))
    for n in range(10):
        expect(client, PONG, bytes([n]))


# -- 3 and 4: reserved bits and opcodes -----------------------------------------------------------------------------


@pytest.mark.parametrize("rsv", range(1, 8))
@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, CLOSE])
def test_reserved_bits_fail(client: RawClient, rsv: int, opcode: int) -> None:
    client.write(frame(opcode, b"", rsv=rsv))
    assert client.closed() == 1002


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
@pytest.mark.parametrize("data", [b"", b"reserved opcode payload"])
def test_reserved_opcodes_fail(client: RawClient, opcode: int, data: bytes) -> None:
    client.write(frame(TEXT, b"before"))
    expect(client, TEXT, b"before")
    client.write(frame(opcode, data) + frame(PING))
    assert client.closed() == 1002


def test_a_frame_without_a_mask_fails(client: RawClient) -> None:
    client.write(frame(TEXT, b"bare", mask=False))
    assert client.closed() == 1002


# -- 5: fragments -----------------------------------------------------------------------------


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
def test_control_frames_are_not_fragmented(client: RawClient, opcode: int) -> None:
    client.write(frame(opcode, b"a", fin=False) + frame(CONT, b"b"))
    assert client.closed() == 1002


@pytest.mark.parametrize("chop", [0, 1])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_fragments_with_pings_between(client: RawClient, opcode: int, chop: int) -> None:
    parts = [b"fragment1", b"", b"fragment2", b"fragment3"]
    for n, part in enumerate(parts):
        client.write(frame(opcode if n == 0 else CONT, part, fin=n == 3), chop=chop)
        if n < 3:
            client.write(frame(PING, bytes([n])), chop=chop)
            expect(client, PONG, bytes([n]))
    expect(client, opcode, b"".join(parts))


def test_a_continuation_without_a_first_frame_fails(client: RawClient) -> None:
    client.write(frame(CONT, b"non-continuation payload", fin=True) + frame(TEXT, b"Hello"))
    assert client.closed() == 1002


def test_a_continuation_after_the_end_fails(client: RawClient) -> None:
    client.write(frame(TEXT, b"1", fin=False) + frame(CONT, b"2"))
    expect(client, TEXT, b"12")
    client.write(frame(CONT, b"3"))
    assert client.closed() == 1002


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_message_inside_a_message_fails(client: RawClient, opcode: int) -> None:
    client.write(frame(TEXT, b"fragment1", fin=False) + frame(opcode, b"fragment2"))
    assert client.closed() == 1002


def test_thousands_of_fragments(client: RawClient) -> None:
    data = os.urandom(1 << 18)
    parts = [data[at : at + 64] for at in range(0, len(data), 64)]
    last = len(parts) - 1
    client.write(b"".join(frame(BINARY if n == 0 else CONT, part, fin=n == last) for n, part in enumerate(parts)))
    expect(client, BINARY, data)


# -- 6: UTF-8 -----------------------------------------------------------------------------

GOOD = [
    "",
    "Hello-µ@ßöäüàá-UTF-8!!",
    "κόσμε",
    "\x00",
    "\u0080",
    "\u0800",
    "\U00010000",
    "\x7f",
    "\u07ff",
    "\uffff",
    "\U0010ffff",
    "\ud7ff",
    "\ue000",
    "\ufffd",
    "\ufffe",
    "\U0001fffe",
    "\U000f0000",
]
BAD = [
    "ce ba e1 bd b9 cf 83 ce bc ce b5 ed a0 80 65 64 69 74 65 64",
    "f8 88 80 80 80",
    "fc 84 80 80 80 80",
    "f7 bf bf bf",
    "fb bf bf bf bf",
    "fd bf bf bf bf bf",
    "f4 90 80 80",
    "80",
    "bf",
    "80 bf 80",
    "c0 20",
    "e0 20 ef 20",
    "f0 20",
    "c0",
    "e0 80",
    "f0 80 80",
    "df",
    "ef bf",
    "f7 bf bf",
    "fe",
    "ff",
    "fe fe ff ff",
    "c0 af",
    "e0 80 af",
    "f0 80 80 af",
    "c1 bf",
    "e0 9f bf",
    "f0 8f bf bf",
    "c0 80",
    "ed a0 80",
    "ed af bf",
    "ed b0 80",
    "ed bf bf",
    "ed a0 80 ed b0 80",
]


@pytest.mark.parametrize("text", GOOD, ids=ascii)
def test_valid_text_may_be_split_anywhere(client: RawClient, text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    client.write(frame(TEXT, data))
    expect(client, TEXT, data)
    for n in range(len(data)):
        client.write(frame(TEXT, data[:n], fin=False) + frame(CONT, fin=False) + frame(CONT, data[n:]))
        expect(client, TEXT, data)


@pytest.mark.parametrize("bad", BAD)
def test_bad_text_fails(client: RawClient, bad: str) -> None:
    client.write(frame(TEXT, bytes.fromhex(bad)))
    assert client.closed() == 1007


def test_bad_text_fails_before_its_message_ends(client: RawClient) -> None:
    client.write(frame(TEXT, "κόσμε".encode(), fin=False) + frame(CONT, bytes.fromhex("f4 90 80 80"), fin=False))
    assert client.closed() == 1007


def test_text_cut_off_in_a_character_fails(client: RawClient) -> None:
    client.write(frame(TEXT, "κ".encode()[:1], fin=False) + frame(CONT, b""))
    assert client.closed() == 1007


def test_binary_messages_need_not_be_utf8(client: RawClient) -> None:
    client.write(frame(BINARY, b"\xff\xfe", fin=False) + frame(CONT, b"\xff"))
    expect(client, BINARY, b"\xff\xfe\xff")


# -- 7: closing -----------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [b"", b"Hello World!", "κόσμε".encode(), b"*" * 123])
def test_a_close_is_echoed(client: RawClient, reason: bytes) -> None:
    client.write(frame(TEXT, b"Hello") + frame(CLOSE, b"\x03\xe8" + reason))
    found = client.read()
    if found.opcode == TEXT:  # the application was quicker
        found = client.read()
    assert found.opcode == CLOSE
    assert found.code == 1000
    client.read_end()


def test_an_empty_close(client: RawClient) -> None:
    client.write(frame(CLOSE))
    assert client.read()[2:] == (CLOSE, b"")
    client.read_end()


@pytest.mark.parametrize("after", [frame(TEXT, b"late"), frame(PING, b"late"), frame(CLOSE, b"\x03\xe8")])
def test_nothing_is_sent_after_a_close(client: RawClient, after: bytes) -> None:
    client.write(frame(CLOSE, b"\x03\xe8") + after)
    assert client.read().code == 1000
    client.read_end()


def test_a_close_inside_a_message(client: RawClient) -> None:
    client.write(frame(TEXT, b"fragment1", fin=False) + frame(CLOSE, b"\x03\xe8"))
    found = client.read()
    assert found.opcode == CLOSE
    client.read_end()


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"\x03", 1002), (b"\x03\xe8" + b"*" * 124, 1002), (b"\x03\xe8" + bytes.fromhex("ce ba e1 bd b9 ed a0 80"), 1007)],
)
def test_a_malformed_close_fails(client: RawClient, data: bytes, code: int) -> None:
    client.write(frame(CLOSE, data))
    assert client.closed() == code


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999])
def test_codes_that_may_be_sent(client: RawClient, code: int) -> None:
    client.write(frame(CLOSE, code.to_bytes(2, "big")))
    assert client.closed() == code


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65535])
def test_codes_that_may_not(client: RawClient, code: int) -> None:
    client.write(frame(CLOSE, code.to_bytes(2, "big")))
    assert client.closed() == 1002


# -- 9: sizes -----------------------------------------------------------------------------


def test_the_largest_message_and_one_byte_more(client: RawClient) -> None:
    data = os.urandom(MAX_SIZE)
    client.write(frame(BINARY, data))
    expect(client, BINARY, data)
    client.write(frame(BINARY, data[:-1], fin=False))
    client.write(frame(CONT, b"ab"))
    assert client.closed() == 1009


# -- 12 and 13: compression -----------------------------------------------------------------------------

OFFERS = [
    "permessage-deflate",
    "permessage-deflate; client_no_context_takeover",
    "permessage-deflate; server_no_context_takeover; client_max_window_bits",
    "permessage-deflate; server_max_window_bits=9; client_max_window_bits=9",
    "permessage-deflate; server_max_window_bits=15; client_max_window_bits=15",
    "permessage-deflate; server_max_window_bits=99, permessage-deflate; client_max_window_bits",
]


@pytest.mark.parametrize("offer", OFFERS)
def test_compression_never_keeps_a_context(port: int, offer: str) -> None:
    with RawClient(port, "/echo", deflate=offer) as client:
        agreed = client.headers["sec-websocket-extensions"]
        assert "server_no_context_takeover" in agreed
        assert "client_no_context_takeover" in agreed
        found = re.search("server_max_window_bits=([0-9]+)", agreed)
        window = int(found[1]) if found else 15
        assert window <= 12
        theirs = re.search("client_max_window_bits=([0-9]+)", agreed)
        data = b"price 187.20 " * 500
        answers = []
        for _ in range(2):
            client.write(frame(TEXT, deflated(data, int(theirs[1]) if theirs else 15), rsv=4))
            answers.append(client.read())
        for answer in answers:
            assert answer[:3] == (True, 4, TEXT)
            assert inflated(answer.data, window) == data
        assert answers[0] == answers[1]


@pytest.mark.parametrize(
    "offer", ["", "permessage-bzip2", "permessage-deflate; unknown=1", "permessage-deflate; server_max_window_bits"]
)
def test_unknown_extensions_are_not_accepted(port: int, offer: str) -> None:
    with RawClient(port, "/echo", deflate=offer) as client:
        assert "sec-websocket-extensions" not in client.headers
        client.write(frame(BINARY, deflated(b"data"), rsv=4))
        assert client.closed() == 1002


@pytest.fixture
def inflating(port: int) -> Iterator[RawClient]:
    with RawClient(port, "/echo", deflate=OFFERS[0]) as client:
        yield client


def test_a_compressed_message_in_fragments(inflating: RawClient) -> None:
    data = os.urandom(2000) * 4
    packed = deflated(data)
    at = len(packed) // 2
    inflating.write(frame(BINARY, packed[:at], rsv=4, fin=False) + frame(PING) + frame(CONT, packed[at:], fin=False))
    expect(inflating, PONG, b"")
    inflating.write(frame(CONT))
    assert inflated(inflating.read().data) == data


def test_plain_messages_on_a_compressed_connection(inflating: RawClient) -> None:
    inflating.write(frame(TEXT, b"plain"))
    assert inflated(inflating.read().data) == b"plain"


@pytest.mark.parametrize(
    "data",
    [
        frame(BINARY, deflated(b"ab" * 9), rsv=4, fin=False) + frame(CONT, b"", rsv=4),
        frame(PING, b"", rsv=4),
        frame(BINARY, b"\xff\xff\xff not deflate", rsv=4),
        frame(BINARY, deflated(b"ab"), rsv=6),
    ],
    ids=["a continuation", "a ping", "no deflate", "another bit"],
)
def test_a_compression_bit_where_it_may_not_be_fails(inflating: RawClient, data: bytes) -> None:
    inflating.write(data)
    assert inflating.closed() == 1002


def test_a_message_too_big_after_inflation_fails(inflating: RawClient) -> None:
    bomb = deflated(bytes(64 * MAX_SIZE))
    assert len(bomb) < MAX_SIZE // 8
    inflating.write(frame(BINARY, bomb, rsv=4))
    assert inflating.closed() == 1009


def test_compressed_text_is_checked_as_well(inflating: RawClient) -> None:
    inflating.write(frame(TEXT, deflated(b"\xff\xfe"), rsv=4))
    assert inflating.closed() == 1007
