"""Kill a hub under load and start it again: how long until every client is back with the newest of each key.

    python tools/stream_restart.py --clients 1000 --down 2

Clients are `fastcore.streaming.Client` with its own back-off (0.5 to 20 s), all in this process; a proxy keeps the port
the same.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fastcore.streaming import Client, Connected, Disconnected, Gap, Message
from tests.streaming.chaos import Desk, Proxy, eventually


class Watcher:
    """A client that notes when it was back."""

    def __init__(self, port: int) -> None:
        self.messages = 0
        self.epochs: list[str] = []
        self.gaps = 0
        self.down = 0
        self.back = 0.0
        self.newest: set[tuple[str, int]] = set()
        self.client = Client(
            f"ws://127.0.0.1:{port}/stream",
            ["count.*"],
            on_message=self.message,
            on_notice=self.notice,
            connect_options={"proxy": None},
        )

    def message(self, message: Message) -> None:
        self.messages += 1
        if message.data["life"] == "second":
            self.newest.add((message.topic, message.data["n"]))
            if len(self.newest) == 3 and not self.back:
                self.back = time.monotonic()

    def notice(self, notice: Any) -> None:
        if isinstance(notice, Connected):
            self.epochs.append(notice.epoch)
        elif isinstance(notice, Gap):
            self.gaps += 1
        elif isinstance(notice, Disconnected):
            self.down += 1


async def run(clients: int, down: float, rate: float) -> dict[str, float]:
    async with Desk.run("--rate", str(rate)) as first, Proxy(first.port) as proxy:
        watchers = [Watcher(proxy.port) for _ in range(clients)]
        try:
            for i, watcher in enumerate(watchers):
                await watcher.client.start()
                if i % 50 == 49:
                    await asyncio.sleep(0.05)
            await eventually(lambda: all(watcher.messages > 10 for watcher in watchers), 120)
            killed = time.monotonic()
            first.kill()
            await asyncio.sleep(down)
            async with Desk.run("--rate", "0") as second:
                said = [[f"count.t{i}", {"n": n, "life": "second"}, "k"] for i in range(3) for n in (1, 2, 3)]
                await second.request("POST", "/say", json={"messages": said})
                proxy.targets = (second.port,)
                up = time.monotonic()
                await eventually(lambda: all(watcher.back for watcher in watchers), 120)
                back = [watcher.back - killed for watcher in watchers]
                assert all(len(set(watcher.epochs)) == 2 for watcher in watchers), "each is told of the new epoch"
                assert all(watcher.newest == {(f"count.t{i}", 3) for i in range(3)} for watcher in watchers)
                return {
                    "clients": clients,
                    "up again after s": up - killed,
                    "first back s": min(back),
                    "median back s": statistics.median(back),
                    "last back s": max(back),
                    "last back after up s": max(back) - (up - killed),
                    "attempts": sum(watcher.down for watcher in watchers) / clients,
                }
        finally:
            await asyncio.gather(*(watcher.client.aclose() for watcher in watchers))


def main() -> None:
    parser = argparse.ArgumentParser(description="kill a hub under load, and time how its clients come back")
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--down", type=float, default=2.0, help="seconds before it is started again")
    parser.add_argument("--rate", type=float, default=5.0, help="messages a second on each of three topics")
    options = parser.parse_args()
    wanted = min(options.clients * 6 + 1000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    for name, value in asyncio.run(run(options.clients, options.down, options.rate)).items():
        print(f"{name:24} {value:g}")


if __name__ == "__main__":
    main()
