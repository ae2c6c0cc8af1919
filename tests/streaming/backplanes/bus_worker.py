"""A node of a bus in a separate process: it publishes, and writes down what it is given, a line each."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from typing import Any

from fastcore.framing import packb, unpackb
from fastcore.streaming.backplanes.backplane import Backplane, Published


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")  # in one piece, also where Python does not buffer
    sys.stdout.flush()


class Writer:
    def renew(self, epoch: str, floor: int, newest: Sequence[Published]) -> None:
        say("R", epoch, floor, len(newest))

    def deliver(self, message: Published) -> None:
        origin, n = unpackb(message.body)
        say("D", message.offset, message.topic, origin, n)


def made(options: argparse.Namespace) -> Any:
    if options.nats:
        from fastcore.streaming.backplanes.nats import NatsBackplane

        return NatsBackplane(options.nats.split(","), replicas=options.replicas)
    from fastcore.streaming.backplanes.unixbus.bus import UnixBus

    return UnixBus(options.bus, transport=options.transport)


async def run(options: argparse.Namespace) -> None:
    bus: Backplane = made(options)
    await bus.start(Writer())
    say("S", bus.state().role)
    loop = asyncio.get_running_loop()
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    n = 0

    async def publish() -> None:
        nonlocal n
        while True:
            for _ in range(options.burst):
                n += 1
                bus.publish(f"from.{options.name}", packb([options.name, n]), key=options.name)
            await asyncio.sleep(0.005)

    task = loop.create_task(publish()) if options.burst else None
    while line := (await commands.readline()).strip():
        if line == b"quiet" and task is not None:
            task.cancel()
        elif line == b"state":
            say("S", bus.state().role)
            continue
        say("N", n)
    await bus.aclose()
    say("E")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--bus", default="")
    parser.add_argument("--transport", default="auto")
    parser.add_argument("--nats", default="")
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--burst", type=int, default=3)
    asyncio.run(run(parser.parse_args()))
