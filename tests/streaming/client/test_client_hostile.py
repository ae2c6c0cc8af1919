"""Hostile servers: the client reports or skips invalid messages, and never hangs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import AsyncIterator
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection, serve

from fastcore.streaming import Client, Disconnected, StreamClosed
from fastcore.streaming.client import link
from fastcore.streaming.client.events import Connected, Gap, Message, Refusal, Subscribed
from fastcore.streaming.client.session import Limits, Session
from tests.streaming.chaos import eventually

WELCOME = msgpack.packb([0, {"v": 1, "epoch": "e1", "ping": 15.0, "pong": 8.0, "ttl": None, "session": "s"}])
ANSWER = msgpack.packb([3, 0, [["x", 7, 10, 0]]])
EXAMPLES = int(os.environ.get("STREAM_EXAMPLES", "40"))  # a long run: STREAM_EXAMPLES=20000 pytest --timeout 0
QUICK: dict[str, Any] = {"backoff": (0.02, 0.1), "connect_options": {"proxy": None}}

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.integers(0, 12)
    | st.floats()
    | st.sampled_from(["x", "y", "e1", "e2", ""])
    | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(["epoch", "ping", "pong", "ttl"]), inner)
    ),
    max_leaves=20,
)
entries = st.lists(
    st.tuples(st.sampled_from(["x", "p.q", 5]), st.integers(-1, 9), st.integers(-1, 30), st.integers(0, 3)).flatmap(
        lambda entry: st.integers(2, 4).map(lambda n: list(entry[:n]))
    ),
    max_size=3,
)
answers = st.tuples(st.just(3), st.integers(0, 2), entries).map(list)
of_the_protocol = answers | st.tuples(st.integers(0, 10), st.lists(anything, max_size=5)).map(lambda v: [v[0], *v[1]])
payloads = (
    st.binary(max_size=60)
    | st.lists(of_the_protocol | anything, min_size=1, max_size=4).map(lambda vs: b"".join(map(msgpack.packb, vs)))
    | st.tuples(st.binary(max_size=4), of_the_protocol).map(lambda v: msgpack.packb(v[1]) + v[0])
)


def heard(session: Session, payload: bytes) -> tuple[list[Any], str]:
    """What it makes of a message, until it is not understood."""
    events: list[Any] = []
    try:
        events.extend(session.received(payload, 1.0))
    except ValueError as error:
        return events, str(error)
    return events, ""


@settings(max_examples=EXAMPLES)
@given(st.lists(payloads, max_size=6), st.booleans())
def test_random_bytes_raise_only_protocol_errors(sent: list[bytes], newest: bool) -> None:
    session = Session(["x", "p.*"], newest=newest, limits=Limits(1000, 16, 100_000), rng=random.Random(1).random)
    session.opened(0.0)
    list(session.received(WELCOME + ANSWER, 0.0))
    for payload in sent:
        events, said = heard(session, payload)
        for event in events:
            assert isinstance(event, Message | Connected | Subscribed | Gap | Refusal)
            if isinstance(event, Message):
                assert event.offset > 0
        assert said.startswith("message: expected") or not said
        assert len(said) < 400
        for topic, offset in session.positions.items():
            assert type(topic) is str
            assert type(offset) is int
            assert offset >= 0
    assert session.deadline >= 1.0 or not sent
    assert all(isinstance(request, bytes) for request in session.opened(2.0)), "it can come back after all that"
    notice = session.closed(1006, "", 2.0)
    assert notice.delay is not None
    assert 0 <= notice.delay <= 3600


@contextlib.asynccontextmanager
async def against(*messages: bytes | str, **options: Any) -> AsyncIterator[tuple[Client, list[Any]]]:
    """A client of a server that says just that, and then reads."""

    async def handler(link: ServerConnection) -> None:
        await link.recv()
        with contextlib.suppress(Exception):
            for message in messages:
                await link.send(message)
            async for _ in link:
                pass

    notices: list[Any] = []
    async with serve(handler, "127.0.0.1", 0, max_size=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with Client(f"ws://127.0.0.1:{port}/", ["x"], on_notice=notices.append, **QUICK, **options) as client:
            yield client, notices


def run(test: Any) -> None:
    asyncio.run(asyncio.wait_for(test, 110))


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (b"\xc1", "expected msgpack"),
        ("text", "a text message"),
        (msgpack.packb({"not": "an array"}), "expected an array"),
        (msgpack.packb([0, {"epoch": "e", "ping": float("nan"), "pong": 8}]), "expected seconds"),
        (WELCOME + ANSWER + msgpack.packb([1, 7, -3, "x"]), "expected an int >= 0"),
        (WELCOME + b"\x91" * 500, "expected msgpack"),
        (WELCOME + b"\xdd\xff\xff\xff\xff", "expected msgpack"),
        (WELCOME + msgpack.packb([3, 0, [["x"]]]), "expected one of the protocol"),
    ],
    ids=["bytes", "text", "map", "nan", "offset", "depth", "length", "entry"],
)
def test_protocol_violations_end_the_client_with_a_reason(message: bytes | str, said: str) -> None:
    async def test() -> None:
        async with against(message) as (client, notices):
            with pytest.raises(StreamClosed, match=r"closed with 1002") as ended:
                await anext(aiter(client))
            assert said in str(ended.value)
            assert notices[-1] == Disconnected(1002, ended.value.reason, None)

    run(test())


def test_a_server_that_speaks_no_websocket_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "ANSWER_WITHIN", 0.3)
    said = [
        b"",
        b"\x00\xff" * 50,
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 503 x\r\nRetry-After: soon\r\n\r\n",
        b"H" * 70_000,
    ]
    seen = 0

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        seen += 1
        writer.write(said[seen % len(said)])
        with contextlib.suppress(OSError):
            await writer.drain()
            if seen % 2:
                await reader.read()  # says nothing more, and stays
        writer.close()

    async def test() -> None:
        async with await asyncio.start_server(babble, "127.0.0.1", 0) as server:
            notices: list[Any] = []
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            async with Client(url, ["x"], on_notice=notices.append, **QUICK) as client:
                await eventually(lambda: seen >= 2 * len(said))
                assert {notice.code for notice in notices} == {1006}
                assert all(notice.reason for notice in notices)
                assert not client.stats().connected

    run(test())


def test_a_flood_is_not_buffered_without_bound() -> None:
    body = b"".join(msgpack.packb([1, 7, n, "x" * 20]) for n in range(11, 111))
    count = 300

    async def test() -> None:
        flood = [b"".join(msgpack.packb([1, 7, 11 + 100 * i + n, "x"]) for n in range(100)) for i in range(count)]
        async with against(WELCOME + ANSWER, *flood, buffer=50) as (client, _):
            await eventually(lambda: client.stats().waiting >= 50)
            for _ in range(50):
                await asyncio.sleep(0)
            assert client.stats().waiting <= 50 + 100, "the bound, and what one WebSocket message holds"
            got = [(await anext(aiter(client))).offset for _ in range(100 * count)]
            assert got == list(range(11, 11 + 100 * count))
        async with against(WELCOME + ANSWER, body, buffer=5, on_full="conflate") as (client, _):
            await eventually(lambda: client.stats().messages == 100)
            assert (client.stats().waiting, client.stats().conflated) == (1, 99)
            assert (await anext(aiter(client))).offset == 110

    run(test())


@pytest.mark.parametrize("take_back", [False, True])
def test_requests_before_the_welcome_are_sent_after_it(take_back: bool) -> None:
    async def test() -> None:
        opened, welcome = asyncio.Event(), asyncio.Event()
        heard: list[Any] = []

        async def handler(link: ServerConnection) -> None:
            await link.recv()
            opened.set()
            await welcome.wait()
            await link.send(WELCOME)
            async for message in link:
                heard.append(msgpack.unpackb(message))
                kind, ref, names, *_ = heard[-1]
                answer = [kind, ref, [[name, 1, 0, 0] for name in names]] if kind == 3 else [kind, ref]
                await link.send(msgpack.packb(answer))

        async with serve(handler, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            async with Client(f"ws://127.0.0.1:{port}/", ["x"], **QUICK) as client:
                await opened.wait()
                request = client.unsubscribe("x") if take_back else client.subscribe("late")
                answered = asyncio.create_task(request)
                await asyncio.sleep(0)
                welcome.set()
                await asyncio.wait_for(answered, 60)
        assert heard == ([[4, 1, ["x"]]] if take_back else [[3, 1, ["late"], {"newest": False}]])

    asyncio.run(test())
