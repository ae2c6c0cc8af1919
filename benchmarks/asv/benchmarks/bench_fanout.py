"""Fan-out: ticks of one and of ten messages to a thousand clients, given out and sent to real sockets."""

from __future__ import annotations

import socket

from benchmarks.backend import compiled
from fastcore.framing import Fanout

QUOTE = {"symbol": "AAPL", "ts": 1_700_000_000_000, "price": 187.25, "volume": 1200, "venue": "x" * 80}
CLIENTS = 1_000
SOCKETS = 100


class Outboxes:
    """Rules and outboxes alone."""

    params = (1, 10)
    param_names = ("messages",)

    def setup(self, messages: int) -> None:
        self.fan = Fanout(policy="conflate")
        for client in range(CLIENTS):
            self.fan.connect(client)
            self.fan.subscribe(client, "prices.*")
        self.slow = Fanout(policy="conflate")
        for client in range(CLIENTS):
            self.slow.connect(client)
            self.slow.subscribe(client, "prices.*")
            self.slow.blocked(client)

    def time_publish_and_tick(self, messages: int) -> None:
        for key in range(messages):
            self.fan.publish("prices.AAPL", QUOTE, key=key)
        self.fan.tick()

    def time_publish_to_slow_clients(self, messages: int) -> None:
        for key in range(messages):
            self.slow.publish("prices.AAPL", QUOTE, key=key)


class Sockets:
    """What the kernel takes included; the other ends are read in turn."""

    def setup(self) -> None:
        self.fan = Fanout()
        self.ends = [socket.socketpair() for _ in range(SOCKETS)]
        for client, (near, far) in enumerate(self.ends):
            near.setblocking(False)
            far.setblocking(False)
            self.fan.connect(client, fd=near.fileno())
            self.fan.subscribe(client, "prices.*")

    def teardown(self) -> None:
        for near, far in self.ends:
            near.close()
            far.close()

    def time_publish_send_and_read(self) -> None:
        self.fan.publish("prices.AAPL", QUOTE)
        self.fan.send()
        for _, far in self.ends:
            far.recv(4096)


def track_backend() -> int:
    return compiled("framing")


track_backend.unit = "1 = compiled"
