"""Fan-out: ticks of one and of ten messages to a thousand clients, given out and sent to real sockets."""

from __future__ import annotations

import functools
import socket
from typing import Any

from benchmarks.features import Skipped, cpu_timer, feature, needs

timer = cpu_timer

Fanout = feature("fastcore.framing:Fanout")
QUOTE = {"symbol": "AAPL", "ts": 1_700_000_000_000, "price": 187.25, "volume": 1200, "venue": "x" * 80}
CLIENTS = 1_000
SOCKETS = 100


@functools.cache
def clients(stuck: bool) -> Any:
    """A thousand connections, all of which read, or none."""
    fan = Fanout(policy="conflate")
    for client in range(CLIENTS):
        fan.connect(client)
        fan.subscribe(client, "prices.*")
        if stuck:
            fan.blocked(client)
    return fan


@functools.cache
def sockets() -> tuple[Any, list[socket.socket]]:
    """A hundred connections that are sockets, and their other ends."""
    fan, ends = Fanout(), []
    for client in range(SOCKETS):
        near, far = socket.socketpair()
        near.setblocking(False)
        far.setblocking(False)
        try:
            fan.connect(client, fd=near.detach())
        except TypeError:
            raise Skipped("this commit sends to no socket by itself") from None
        fan.subscribe(client, "prices.*")
        ends.append(far)
    return fan, ends


@needs(Fanout)
def time_tick_of_one() -> None:
    fan = clients(stuck=False)
    fan.publish("prices.AAPL", QUOTE, key=0)
    fan.tick()


@needs(Fanout)
def time_tick_of_ten() -> None:
    fan = clients(stuck=False)
    for key in range(10):
        fan.publish("prices.AAPL", QUOTE, key=key)
    fan.tick()


@needs(Fanout)
def time_conflate_ten_for_slow_clients() -> None:
    fan = clients(stuck=True)
    for key in range(10):
        fan.publish("prices.AAPL", QUOTE, key=key)


@needs(Fanout)
def time_send_and_read() -> None:
    """What the kernel takes included; the other ends are read in turn."""
    fan, ends = sockets()
    fan.publish("prices.AAPL", QUOTE)
    fan.send()
    for far in ends:
        far.recv(4096)
