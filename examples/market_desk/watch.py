"""Prints a stream of prices: the shortest client there is, over the ``websockets`` library."""

from __future__ import annotations

import sys
from contextlib import suppress

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from examples.market_desk.wire import HEARTBEAT, Reader

__all__ = ["main"]


def main(port: int, topics: str) -> int:
    """Print messages until interrupted; return 1 if there is no such service or topic."""
    try:
        with suppress(KeyboardInterrupt), connect(f"ws://127.0.0.1:{port}/stream?topics={topics}") as stream:
            reader = Reader()
            for data in stream:
                for message in reader.read(data if isinstance(data, bytes) else data.encode()):
                    print(describe(message), flush=True)
                while reader.pinged:
                    reader.pinged -= 1
                    stream.send(HEARTBEAT)
    except BrokenPipeError:  # the reader, such as `head`, has read enough
        raise
    except (OSError, ValueError, WebSocketException) as error:
        print(f"watch: {error}", file=sys.stderr)
        return 1
    return 0


def describe(message: dict[str, object]) -> str:
    """Return one line on the newest bar of a symbol and some of its indicators."""
    indicators = message["indicators"]
    assert isinstance(indicators, dict)
    shown = "  ".join(f"{name} {indicators[name]:10.2f}" for name in ("rsi", "macd_hist", "atr", "vwap"))
    return f"{message['topic']:<12} {message['date']}  close {message['close']:9.2f}  {shown}"
