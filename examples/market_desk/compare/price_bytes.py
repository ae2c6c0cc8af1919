"""Bytes of a streamed price of the market desk, as it is sent, and in other ways of sending it.

Run ``python -m examples.market_desk.compare.price_bytes``. Each client has three symbols, drawn as in
`make compare`; times are processor time for one client and tick.
"""

from __future__ import annotations

import random
import statistics
import time
import zlib

import numpy as np

from examples.market_desk.compare.load import SYMBOLS, zipf
from examples.market_desk.data.market import Market
from examples.market_desk.data.universe import REAL
from examples.market_desk.fast.stream import CENTS
from fastcore.framing import packb

__all__ = ["main"]

CLIENTS, TICKS = 100, 300
WARM = 20  # ticks that are not counted: a context is empty at first
FRAME = 2  # bytes of the head of a frame
TAIL = 4  # bytes that each deflated message ends with, and that are not sent
START = 1_800_000_000  # seconds since 1970


def main(ticks: int = TICKS) -> None:
    """Print the table, of so many ticks."""
    market = Market()
    names = zipf(market.symbols, random.Random(3))
    wanted = [tuple(dict.fromkeys(next(names) for _ in range(SYMBOLS))) for _ in range(CLIENTS)]
    number = {symbol: n for n, symbol in enumerate(market.symbols, 1)}
    deflate = [[zlib.compressobj(level, zlib.DEFLATED, -12, 5) for _ in wanted] for level in (1, 6)]
    sizes: dict[str, list[int]] = {"as it is": [], "one frame a tick": [], "level 1": [], "level 6": []}
    took: dict[str, list[float]] = {"level 1": [], "level 6": []}
    prices = 0
    for tick in range(ticks):
        market.advance(START + float(tick))
        bar, at, panel = market.panel(2)
        cents = np.rint(panel["close"] * CENTS).astype(np.int64).tolist()
        volumes = panel["volume"][:, 1].astype(np.int64).tolist()
        for client, symbols in enumerate(wanted):
            messages = []
            for symbol in symbols:
                place = number[symbol] - 1
                before, now = cents[place]
                price = (bar, int(at), now, now - before, volumes[place], market.origin[symbol] == REAL)
                messages.append(packb([1, number[symbol], tick + 1, price]))
            tick_of = b"".join(messages)
            packed: dict[str, int] = {}
            for name, states in zip(took, deflate):
                began = time.thread_time()
                packed[name] = len(states[client].compress(tick_of) + states[client].flush(zlib.Z_SYNC_FLUSH)) - TAIL
                took[name].append(time.thread_time() - began)
            if tick < WARM:
                continue
            prices += len(symbols)
            sizes["as it is"].append(len(tick_of) + FRAME * len(symbols))
            sizes["one frame a tick"].append(len(tick_of) + FRAME)
            for name, size in packed.items():
                sizes[name].append(size + FRAME)
    for name, found in sizes.items():
        spent = f"{statistics.median(took[name]) * 1e6:6.1f} us" if name in took else ""
        kind = f"deflated with a context for each client, {name}" if name in took else name
        print(f"{kind:52} {sum(found) / prices:5.1f} bytes a price {spent}")


if __name__ == "__main__":
    main()
