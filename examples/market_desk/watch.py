"""Prints a stream of prices: the shortest client there is."""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import suppress

from examples.market_desk.fast.stream import quote_of
from fastcore.streaming import Client, StreamClosed, SubscribeError

__all__ = ["main"]


def main(port: int, topics: str) -> int:
    """Print messages until interrupted; return 1 if there is no such service or topic."""
    try:
        with suppress(KeyboardInterrupt):
            asyncio.run(watch(port, topics.split(",")))
    except BrokenPipeError:  # the reader, such as `head`, has read enough
        raise
    except (OSError, SubscribeError, StreamClosed) as error:
        print(f"watch: {error}", file=sys.stderr)
        return 1
    return 0


async def watch(port: int, topics: list[str]) -> None:
    """Print each price as it comes."""
    await asyncio.to_thread(check, port)
    async with Client(f"ws://127.0.0.1:{port}/stream", topics, newest=True) as client:
        async for message in client:
            price = quote_of(message.topic, message.data)
            print(
                f"{message.topic:<16} bar {price['bar']:6d}  price {price['price']:9.2f}  "
                f"change {price['change']:+8.2%}  {price['origin']}",
                flush=True,
            )


def check(port: int) -> None:
    """Raise if nothing listens: a client would wait for the service to come back."""
    socket.create_connection(("127.0.0.1", port), timeout=5).close()
