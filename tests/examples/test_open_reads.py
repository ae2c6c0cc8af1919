"""Every request of the open loop ends as an answer or an error, whatever the server does."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable

import pytest

from examples.market_desk.compare.open_reads import OpenReads
from examples.market_desk.http_client import Answer

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
Act = Callable[[int], tuple[float, bytes | None]]  # of a request's number: seconds to wait, and what is sent


def check(answer: Answer, sent: float) -> None:
    if answer.status != 200 or abs(time.time() - sent) > 60:
        raise ValueError(f"got {answer.status}")


def measured(act: Act, rate: float, seconds: float, *, limit: float = 5.0) -> tuple[list[float], list[str], list[str]]:
    """Run the open loop over three connections; return the times, the errors and the paths that the server saw."""
    times: list[float] = []
    errors: list[str] = []
    paths: list[str] = []
    numbers, names = itertools.count(), itertools.count()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(4096):
                paths.append(data.split(b" ", 2)[1].decode())
                wait, sent = act(next(numbers))
                await asyncio.sleep(wait)
                if sent is None:
                    break
                writer.write(sent)
        except asyncio.CancelledError:  # at the end, of one that waits
            pass
        finally:
            writer.close()

    async def main() -> None:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            reads = OpenReads(
                server.sockets[0].getsockname()[1],
                3,
                lambda: f"/{next(names)}",
                check,
                answered=times.append,
                failed=lambda error: errors.append(type(error).__name__),
                limit=limit,
            )
            await reads.run(rate, seconds)
            await asyncio.sleep(0.05)  # both ends of the connections are closed in later turns

    asyncio.run(main())
    return times, errors, paths


def test_every_request_is_sent_once_and_answered() -> None:
    times, errors, paths = measured(lambda n: (0.0, ANSWER), 1000, 0.2)
    assert (len(times), errors) == (200, [])
    assert sorted(paths) == sorted(f"/{n}" for n in range(200))


def test_times_run_from_when_a_request_was_due() -> None:
    times, errors, _ = measured(lambda n: (0.02, ANSWER), 1000, 0.1)  # three at a time, of a hundred
    assert (len(times), errors) == (100, [])
    assert max(times) > 0.3


@pytest.mark.parametrize(
    ("act", "failed", "error"),
    [
        (lambda n: (0.0, ANSWER.replace(b"200", b"503") if n % 4 == 0 else ANSWER), 25, "ValueError"),
        (lambda n: (0.0, None if n % 10 == 0 else ANSWER), 10, "EOFError"),
        (lambda n: (3.0 if n == 5 else 0.0, ANSWER), 1, "TimeoutError"),
    ],
    ids=["wrong statuses", "closed connections", "an answer too late"],
)
def test_what_fails_is_counted_and_the_rest_is_answered(act: Act, failed: int, error: str) -> None:
    times, errors, _ = measured(act, 500, 0.2, limit=1.0)
    assert errors == [error] * failed
    assert len(times) == 100 - failed


def test_a_server_that_is_not_there_fails_every_request() -> None:
    errors: list[Exception] = []
    reads = OpenReads(1, 3, lambda: "/", check, answered=lambda _: None, failed=errors.append, limit=0.5)
    asyncio.run(reads.run(100, 0.1))
    assert len(errors) == 10
