"""The variant of the protocol in JSON, on every kind of server, and a client of it in another language."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from fastcore.framing import ExtType, frame_packed, packb
from fastcore.streaming import Grant, Hub, Limits
from fastcore.streaming.jsonwire import Memo, frames, payloads, texts
from tests.streaming.conftest import Serve
from tests.streaming.raw_client import BINARY, CONT, TEXT, RawClient, frame
from tests.streaming.running import WAIT, Running

JSON = {"Sec-WebSocket-Protocol": "fastcore.v1.json"}


class TextClient(RawClient):
    """Speaks JSON: one value in each message."""

    def __init__(self, port: int, path: str = "/stream", **options: Any) -> None:
        super().__init__(port, path, headers={**JSON, **options.pop("headers", {})}, **options)

    def say(self, *message: Any) -> None:
        self.write(frame(TEXT, json.dumps(message).encode()))

    def hear(self) -> Any:
        found = self.read()
        assert (found.opcode, found.rsv) == (TEXT, 0), f"expected text, got {found}"
        return json.loads(found.data)


def test_a_json_client_gets_the_same_messages(serve: Serve) -> None:
    hub, server = serve()
    with TextClient(server.port, "/stream?topics=prices.*") as client, RawClient(server.port) as other:
        assert client.hear()[1]["epoch"] == hub.epoch
        assert client.hear() == [3, 0, []]
        other.hear()
        other.say(3, 1, ["prices.*"])
        other.hear_kind(3)
        for n in range(100):
            hub.publish(f"prices.{n % 3}", {"n": n}, key=n)
        told = [client.hear_kind(1) for _ in range(100)]
        assert told == [other.hear_kind(1) for _ in range(100)]
        assert [message[3] for message in told] == [{"n": n} for n in range(100)]


def test_requests_in_json_are_answered_in_json(serve: Serve) -> None:
    _, server = serve()
    with TextClient(server.port) as client:
        client.hear()
        client.say(3, 7, ["a", "b"], {"newest": True})
        assert [[name, state] for name, _, _, state in client.hear()[2]] == [["a", 0], ["b", 0]]
        client.say(4, 8, ["a"])
        assert client.hear() == [4, 8]
        client.say(6)
        client.say(3, 9, ["a..b"])
        assert client.hear()[:3] == [5, 9, 101]


def test_a_fragmented_request_in_json(serve: Serve) -> None:
    _, server = serve()
    with TextClient(server.port) as client:
        client.hear()
        client.write(frame(TEXT, b'[3, 1, ["\xc3', fin=False) + frame(CONT, b'\xa9"]]'))
        assert client.hear()[2][0][0] == "é"


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"[",
        b"{}",
        b"3",
        b"null",
        b"[3]",
        b"[3,1,[NaN]]",
        b"[" * 5000,
        b'[3,1,["\\ud800"]]',
        b'["3",1,["a"]]',
        b"[3,1,1e400]",
    ],
)
def test_invalid_requests_are_answered_with_an_error(serve: Serve, bad: bytes) -> None:
    _, server = serve()
    with TextClient(server.port) as client:
        client.hear()
        client.write(frame(TEXT, bad))
        kind, _, code, text = client.hear()
        assert (kind, code) in {(5, 100), (5, 101)}
        assert text
        client.say(3, 2, ["good"])
        assert client.hear_kind(3)[1] == 2


def test_binary_from_a_client_of_json_ends_it(serve: Serve) -> None:
    hub, server = serve()
    with TextClient(server.port) as client:
        client.hear()
        client.write(frame(BINARY, b"\x91\x06"))
        assert client.closed() == 1003
    server.until(lambda: hub.stats().closed == {1003: 1})


def test_limits_hold_for_json(serve: Serve) -> None:
    _, server = serve(limits=Limits(message_rate=0.001, message_burst=5))
    with TextClient(server.port) as client:
        client.hear()
        client.write(frame(TEXT, b"[6]") * 6)
        assert client.closed() == 3013


def test_a_client_of_json_resumes(serve: Serve) -> None:
    hub, server = serve()
    for n in range(5):
        hub.publish("a", n)
    with TextClient(server.port) as client:
        client.hear()
        client.say(3, 1, ["a"], {"since": [hub.epoch, {"a": 2}]})
        assert client.hear()[2][0][2:] == [5, 1]
        assert [client.hear()[2:] for _ in range(3)] == [[3, 2], [4, 3], [5, 4]]


def test_a_slow_client_gets_the_newest(serve: Serve) -> None:
    hub, server = serve(policy="conflate", limits=Limits(backlog=64 << 20, total_backlog=64 << 20))
    with TextClient(server.port, "/stream?topics=a", rcvbuf=4096) as client:
        client.hear_kind(3)
        filler = "x" * 10_000
        for n in range(3000):
            hub.publish("a", [n, filler], key="k")
            if n % 100 == 0:
                server.call(lambda: None)
        got = []
        while not got or got[-1] != 2999:
            got.append(client.hear_kind(1)[3][0])
        assert got == sorted(set(got))
        assert len(got) < 3000


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ("fastcore.v1.json", "fastcore.v1.json"),
        ("fastcore.v1", "fastcore.v1"),
        ("fastcore.v1, fastcore.v1.json", "fastcore.v1"),
        ("other, fastcore.v1.json, fastcore.v1", "fastcore.v1.json"),
    ],
)
def test_the_first_subprotocol_that_is_known_is_chosen(serve: Serve, offered: str, chosen: str) -> None:
    _, server = serve()
    kind = TextClient if chosen.endswith("json") else RawClient
    with kind(server.port, headers={"Sec-WebSocket-Protocol": offered}) as client:
        assert client.hear()[0] == 0


# -- values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([1, -1.5, None, True, "é"], '[1,-1.5,null,true,"é"]'),
        (float("nan"), "null"),
        ({"a": [float("inf"), -float("inf"), 2.5]}, '{"a":[null,null,2.5]}'),
        (b"\x00\xff", '"AP8="'),
        ({1: "a", b"k": "b", None: "c", 1.5: "d"}, '{"1":"a","aw==":"b","null":"c","1.5":"d"}'),
        (2**64 - 1, "18446744073709551615"),
        (ExtType(5, b"ab"), '[5,"YWI="]'),
        ("\u2028 \x00 </script>", '"\u2028 \\u0000 </script>"'),
    ],
)
def test_values_of_msgpack_in_json(value: Any, text: str) -> None:
    [found] = texts(packb([value], strict_types=False))
    assert found == f"[{text}]"


def test_times_in_json() -> None:
    when = dt.datetime(2026, 2, 3, 4, 5, 6, 700_000, tzinfo=dt.UTC)
    assert texts(packb([when, when.replace(microsecond=0)], datetime=True)) == (
        '["2026-02-03T04:05:06.7Z","2026-02-03T04:05:06Z"]',
    )


def test_frames_are_written_once_for_all() -> None:
    data = frame_packed(packb([1, 7, 42, "x" * 70_000])) + frame_packed(packb([6])) + frame_packed(b"\x91\x06\x91\x07")
    [large, small, two] = payloads(data)
    assert frames(large) is frames(bytes(bytearray(large)))
    assert frames(small) == b"\x81\x03[6]"
    assert frames(two) == b"\x81\x03[6]\x81\x03[7]"
    assert frames(large)[:2] == b"\x81\x7f"


def test_remembered_entries_are_bounded() -> None:
    made: list[bytes] = []
    memo: Memo[bytes] = Memo(lambda payload: made.append(payload) or payload, limit=10_000)
    for n in range(1000):
        memo(b"%d" % n)
        assert len(memo._made) <= 50
    memo(b"999")
    assert len(made) == 1000


def test_a_memo_distinguishes_entries_by_all_of_their_inputs() -> None:
    made: list[tuple[bytes, str]] = []

    def make(payload: bytes, name: str = "") -> str:
        made.append((payload, name))
        return f"{name}: {payload!r}"

    memo = Memo(make)
    for _ in range(2):
        for payload, name in [(b"x", "a"), (b"x", "b"), (b"y", "a")]:
            assert memo(payload, name) == f"{name}: {payload!r}"
        assert memo(b"x") == ": b'x'"
    assert len(made) == 4


# -- a client in another language -----------------------------------------------------------------------------------

NODE = shutil.which("node")
CLIENT = Path(__file__).resolve().parents[2] / "examples" / "node_client.mjs"


@pytest.fixture(scope="module")
def node() -> list[str]:
    if NODE is None:
        pytest.skip("needs Node")
    version = subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True).stdout
    major = int(re.match(r"v(\d+)", version)[1])  # type: ignore[index]
    if major < 20:
        pytest.skip("needs Node 20")
    return [NODE, *(["--experimental-websocket", "--no-warnings"] if major < 22 else [])]


@pytest.fixture
def grants() -> Iterator[tuple[Hub, Running]]:
    app = FastAPI()
    hub = Hub(
        authenticate=lambda token: Grant(user="n") if token == "good" else None,
        ping=0.4,
        pong=0.3,
        beat=0.05,
        spread=0.1,
    )
    hub.route(app)
    with Running(app) as server:
        yield hub, server


def test_the_client_for_node_is_short() -> None:
    assert len(CLIENT.read_text(encoding="utf-8").splitlines()) <= 100


def test_the_client_for_node_listens_answers_pings_and_resumes(node: list[str], grants: tuple[Hub, Running]) -> None:
    hub, server = grants
    url = f"ws://127.0.0.1:{server.port}/stream"
    with subprocess.Popen([*node, str(CLIENT), url, "prices.*", "good"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            server.until(lambda: len(hub) == 1)
            server.until(lambda: hub.fanned().subscriptions == 1)
            hub.publish("prices.A", {"price": 1.5}, key="A")
            assert json.loads(process.stdout.readline()) == {
                "topic": "prices.A", "offset": 1, "data": {"price": 1.5}, "key": "A",
            }  # fmt: skip
            [first] = server.call(hub.clients.all)
            deadline = time.monotonic() + WAIT
            pings = 0
            while pings < 3 and time.monotonic() < deadline:  # longer than it would live without answers
                pings += 1
                time.sleep(0.5)
            assert server.call(hub.clients.all) == [first]
            server.call(lambda: first.close(3001, "drained"))
            hub.publish("prices.A", 2)
            hub.publish("prices.A", 3)
            assert [json.loads(process.stdout.readline())["data"] for _ in range(2)] == [2, 3]
            assert hub.stats().closed == {3001: 1}
        finally:
            process.terminate()
        assert process.wait(WAIT) in {0, -15}


def test_the_client_for_node_resumes_thousands_of_topics(node: list[str]) -> None:
    """Their positions take more than a message may have."""
    app, hub = FastAPI(), Hub(spread=0.1)
    hub.route(app)
    names = [f"prices.a-symbol-with-a-long-name-{n:04}" for n in range(3000)]
    for name in names:
        hub.publish(name, "first", key="k")
    with (
        Running(app) as server,
        subprocess.Popen(
            [*node, str(CLIENT), f"ws://127.0.0.1:{server.port}/stream", "prices.*"], stdout=subprocess.PIPE, text=True
        ) as process,
    ):
        try:
            assert process.stdout is not None
            assert {json.loads(process.stdout.readline())["topic"] for _ in names} == set(names)
            [session] = server.call(hub.clients.all)
            server.call(lambda: session.close(3001, "drained"))
            hub.publish(names[7], "missed")
            hub.publish(names[7], "missed too", key="k")
            heard = [json.loads(process.stdout.readline()) for _ in range(2)]
            assert [(one["topic"], one["offset"], one["data"]) for one in heard] == [
                (names[7], 2, "missed"),
                (names[7], 3, "missed too"),
            ]
            assert hub.stats().closed == {3001: 1}
        finally:
            process.terminate()


def test_the_node_client_ends_when_it_is_refused(node: list[str], grants: tuple[Hub, Running]) -> None:
    _, server = grants
    url = f"ws://127.0.0.1:{server.port}/stream"
    done = subprocess.run(
        [*node, str(CLIENT), url, "prices.*", "bad"],
        capture_output=True,
        text=True,
        timeout=WAIT,
        env={**os.environ},
        check=False,
    )
    assert "closed: 3500" in done.stderr
