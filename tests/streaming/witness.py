"""A client that checks its messages: no duplicates, and no gap without a notice; and a run of many clients."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

from fastcore.streaming import Client, Connected, Disconnected, Gap, Message
from tests.streaming.chaos import Desk, Proxy

__all__ = ["Witness", "judged"]


class Witness:
    """Listens to topics of ``tests.streaming.desk``, whose ``n`` counts upwards through one life of it."""

    def __init__(self, port: int, **options: Any) -> None:
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.client = Client(
            f"ws://127.0.0.1:{port}/stream",
            ["count.*"],
            on_message=self._message,
            on_notice=self._notice,
            **{"connect_options": {"proxy": None}, **options},
        )
        self._last: dict[str, tuple[str, int]] = {}
        self._told: set[str] = set()

    def _message(self, message: Message) -> None:
        topic, life, n = message.topic, message.data["life"], message.data["n"]
        before = self._last.get(topic)
        self.counts["messages"] += 1
        if before is not None:
            old_life, last = before
            if life == old_life and n <= last:
                self.wrong.append(f"{topic}: {n} came after {last}")
            elif (life != old_life or n > last + 1) and topic not in self._told:
                self.wrong.append(f"{topic}: {n} came after {last}, without a notice")
            elif life == old_life and n == last + 1 and topic in self._told:
                self.wrong.append(f"{topic}: {n} came after {last}, after a notice of a gap")
        self._told.discard(topic)
        self._last[topic] = (life, n)

    def _notice(self, notice: Any) -> None:
        self.counts[type(notice).__name__.lower()] += 1
        if isinstance(notice, Gap):
            self._told.add(notice.topic)
        elif isinstance(notice, Connected) and notice.restarted:
            self.counts["restarted"] += 1
        elif isinstance(notice, Disconnected) and notice.delay is None:
            self.wrong.append(f"the client does not reconnect: {notice}")

    def lag(self, counts: dict[str, int]) -> int:
        """Return by how many messages the client is behind the counts of its topics."""
        return max(n - self._last.get(topic, ("", 0))[1] for topic, n in counts.items())


async def judged(
    clients: int, seconds: float, rate: float, history: int, seed: int, in_process: bool = False
) -> tuple[Counter[str], list[str]]:
    """Cut, stall and resume connections at random; return what was counted, and what was wrong."""
    rng = random.Random(seed)
    arguments = ("--rate", str(rate), "--history", str(history), "--ping", "1", "--pong", "1")
    async with (Desk.in_process if in_process else Desk.run)(*arguments) as desk, Proxy(desk.port, rng=rng) as proxy:
        # Half come back at once, the others after more than history holds.
        waits = [(0.02, 0.2), (4 * history / rate, 6 * history / rate)]
        witnesses = [Witness(proxy.port, backoff=waits[i % 2]) for i in range(clients)]
        try:
            for witness in witnesses:
                await witness.client.start()
            loop = asyncio.get_running_loop()
            end = loop.time() + seconds
            stalls = 0
            while loop.time() < end or proxy.cuts < 4 * clients:  # a busy machine cuts less often
                await asyncio.sleep(rng.random() * 0.3)
                if rng.random() < 0.02:
                    stalls += 1
                    proxy.stall()
                    await asyncio.sleep(rng.random() * 4)
                    proxy.resume()
                else:
                    proxy.cut(rng.random() ** 3)
            async with asyncio.timeout(60):
                while True:
                    counted = (await desk.request("GET", "/stats"))["counts"]
                    if all(witness.lag(counted) <= rate for witness in witnesses):
                        break
                    await asyncio.sleep(0.2)
        finally:
            await asyncio.gather(*(witness.client.aclose() for witness in witnesses))
        total: Counter[str] = Counter({"cuts": proxy.cuts, "stalls": stalls})
        for witness in witnesses:
            total += witness.counts
        return total, [wrong for witness in witnesses for wrong in witness.wrong]
