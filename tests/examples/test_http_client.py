"""The client that measures the arms, against servers that answer in pieces, close, or say nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from examples.market_desk.http_client import Answer, HttpClient

WHOLE = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
Asking = Callable[[HttpClient], Awaitable[list[Answer]]]


async def ask_twice(http: HttpClient) -> list[Answer]:
    return [await http.get("/"), await http.post("/orders", {"symbol": "AAPL"})]


async def ask_twenty_at_once(http: HttpClient) -> list[Answer]:
    return list(await asyncio.gather(*(http.get(f"/{n}") for n in range(20))))


async def ask_after_some_gave_up(http: HttpClient) -> list[Answer]:
    first = [asyncio.create_task(http.get(f"/{n}")) for n in range(6)]
    await asyncio.sleep(0)
    for waiting in first[2:5]:
        waiting.cancel()
    found = await asyncio.gather(*first, return_exceptions=True)
    return [answer for answer in found if isinstance(answer, Answer)] + await ask_twenty_at_once(http)


def against(parts: list[bytes], ask: Asking, *, closes: bool = False, most: int = 100) -> tuple[list[Answer], int]:
    """Ask a server that sends these parts after each request; return the answers, and how many connections it had."""
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while await reader.read(4096):
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0.002)
            if closes:
                break
        writer.close()

    async def main() -> list[Answer]:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            http = HttpClient(server.sockets[0].getsockname()[1], most)
            try:
                return await ask(http)
            finally:
                http.close()
                await asyncio.sleep(0.05)  # both ends of the connections are closed in later turns

    return asyncio.run(main()), connections


@pytest.mark.parametrize("size", [1, 7, len(WHOLE)])
def test_an_answer_that_comes_in_pieces_is_read_whole_and_its_connection_is_used_again(size: int) -> None:
    parts = [WHOLE[start : start + size] for start in range(0, len(WHOLE), size)]
    answers, connections = against(parts, ask_twice)
    assert [(answer.status, answer.json()) for answer in answers] == [(200, {})] * 2
    assert answers[1].bytes - len(WHOLE) > len(b'{"symbol": "AAPL"}')
    assert connections == 1


def test_a_connection_that_the_server_closes_is_not_used_again() -> None:
    closing = WHOLE.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n")
    answers, connections = against([closing[:40], closing[40:]], ask_twice, closes=True)
    assert [answer.json() for answer in answers] == [{}, {}]
    assert connections == 2


@pytest.mark.parametrize(("ask", "answered"), [(ask_twenty_at_once, 20), (ask_after_some_gave_up, 23)])
def test_requests_beyond_the_most_connections_wait_for_one(ask: Asking, answered: int) -> None:
    answers, connections = against([WHOLE], ask, most=2)
    assert [answer.status for answer in answers] == [200] * answered
    assert connections == 2


@pytest.mark.parametrize(
    ("part", "error", "says"),
    [
        (WHOLE[:-1], EOFError, "closed by the server after 39 bytes of an answer"),
        (b"HTTP/1.1 200 OK\r\n\r\n", ValueError, "expected a Content-Length"),
        (b"HTTP/1.1 2x0 OK\r\ncontent-length: 0\r\n\r\n", ValueError, "2x0"),
    ],
)
def test_an_answer_that_is_none_is_an_error_that_says_what_came(part: bytes, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        against([part], ask_twice, closes=True)
