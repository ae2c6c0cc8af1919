"""Slices: how much of what was read is parsed in one turn of the loop, and when reading pauses."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

import pytest

from fastcore.streaming.intake import FRAMES, STEP, Intake, Parsing
from fastcore.streaming.turns import SLICE


class Transport:
    """Remembers whether it reads."""

    def __init__(self) -> None:
        self.reading = True
        self.closing = False

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scenario)


def made(frames: int = 1, waiting: bool = False, parsing: Parsing | None = None) -> tuple[Intake, Transport, bytearray]:
    """An intake whose parser finds so many frames in each slice."""
    transport, taken = Transport(), bytearray()

    def take(data: bytes) -> int:
        taken.extend(data)
        return frames

    return Intake(transport, take, parsing, waiting=waiting), transport, taken  # type: ignore[arg-type]


def test_a_read_with_few_frames_is_parsed_at_once() -> None:
    async def scenario() -> None:
        intake, transport, taken = made(frames=0)
        intake.feed(b"x" * STEP)
        assert (len(taken), transport.reading) == (STEP, True)

    run(scenario())


def test_a_read_with_many_frames_is_parsed_over_several_turns() -> None:
    async def scenario() -> None:
        intake, transport, taken = made(frames=FRAMES)
        intake.feed(b"x" * 10_240)
        turns = 0
        assert not transport.reading
        while not transport.reading:
            before = len(taken)
            await asyncio.sleep(0)
            assert len(taken) - before <= 1024
            turns += 1
        assert (len(taken), turns) == (10_240, 9)

    run(scenario())


@pytest.mark.parametrize("seed", range(5))
def test_bytes_are_parsed_completely_and_in_order(seed: int) -> None:
    rng = random.Random(seed)
    data = rng.randbytes(100_000)

    async def scenario() -> None:
        intake, transport, taken = made(frames=50)
        at = 0
        while at < len(data):
            size = rng.choice([1, 100, 1024, 5000, 30_000])
            intake.feed(data[at : at + size])
            at += size
            for _ in range(rng.randrange(4)):
                await asyncio.sleep(0)
        while not transport.reading:
            await asyncio.sleep(0)
        assert bytes(taken) == data

    run(scenario())


def test_messages_are_kept_and_reading_pauses_while_it_waits() -> None:
    async def scenario() -> None:
        intake, transport, taken = made(waiting=True)
        assert transport.reading  # so that the end of the connection is noticed
        intake.feed(b"ab")
        await asyncio.sleep(0)
        assert (bytes(taken), transport.reading) == (b"", False)
        intake.go_on()
        await asyncio.sleep(0)
        assert (bytes(taken), transport.reading) == (b"ab", True)

    run(scenario())


def test_once_stopped_nothing_is_parsed_or_read() -> None:
    async def scenario() -> None:
        intake, transport, taken = made(frames=FRAMES)
        intake.feed(b"x" * 5000)
        intake.stop()
        parsed = len(taken)
        intake.feed(b"y" * 5000)
        intake.go_on()
        for _ in range(5):
            await asyncio.sleep(0)
        assert (len(taken), transport.reading) == (parsed, False)

    run(scenario())


def test_release_returns_unparsed_bytes() -> None:
    async def scenario() -> None:
        intake, _, taken = made(frames=FRAMES)
        intake.feed(bytes(range(256)) * 20)
        assert bytes(taken) + intake.release() == bytes(range(256)) * 20

    run(scenario())


def test_a_transport_that_closes_is_left_alone() -> None:
    async def scenario() -> None:
        intake, transport, _ = made(frames=FRAMES)
        intake.feed(b"x" * 5000)
        transport.closing = True
        await asyncio.sleep(0)
        assert not transport.reading

    run(scenario())


def test_a_crowd_shares_its_turns_and_a_small_message_does_not_wait_for_it() -> None:
    now = 0.0

    def take(data: bytes) -> int:
        nonlocal now
        now += SLICE / 8 * len(data) / STEP
        return 0

    async def scenario() -> None:
        nonlocal now
        parsing = Parsing(lambda: now)
        crowd = [Transport() for _ in range(50)]
        for transport in crowd:
            Intake(transport, take, parsing).feed(b"x" * 10 * STEP)  # type: ignore[arg-type]
        turns = 0
        while not all(transport.reading for transport in crowd):
            begun = now
            await asyncio.sleep(0)
            assert now - begun < 1.2 * SLICE
            small, transport, taken = made(parsing=parsing)
            small.feed(b"ping")
            assert (bytes(taken), transport.reading) == (b"ping", True)
            turns += 1
        assert turns < 70

    run(scenario())


def test_an_error_in_the_parser_of_one_connection_does_not_delay_the_others() -> None:
    def broken(data: bytes) -> int:
        if data.startswith(b"y"):
            raise RuntimeError("a parser that raises")
        return FRAMES

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        parsing = Parsing()
        bad = Intake(Transport(), broken, parsing)  # type: ignore[arg-type]
        bad.feed(b"x" * 1024 + b"y")
        good, transport, taken = made(frames=FRAMES, parsing=parsing)
        good.feed(b"x" * 5000)
        for _ in range(10):
            await asyncio.sleep(0)
        assert (len(taken), transport.reading) == (5000, True)

    run(scenario())
