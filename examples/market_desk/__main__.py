"""``python -m examples.market_desk``: see the package."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

TICK_RATE = 3.0


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(prog="python -m examples.market_desk", description="A market-data service, twice.")
    commands = top.add_subparsers(dest="command", required=True)

    demo = commands.add_parser("demo", help="measure the service before and after optimisation, and print a table")
    demo.add_argument("--seconds", type=positive, default=20.0, help="time measured, half of it each (default 20)")
    demo.add_argument("--clients", type=whole, default=1000, help="WebSocket connections (default 1000)")
    demo.add_argument("--tick-rate", type=positive, default=TICK_RATE, help="ticks a second (default %(default)g)")
    demo.add_argument("--request-rate", type=positive, default=15.0, help="analyses a second (default 15)")
    demo.add_argument("--report-rate", type=positive, default=0.2, help="reports a second (default 0.2)")
    demo.add_argument("--json", metavar="FILE", help="write what was measured there as well")

    serve = commands.add_parser("serve", help="keep the service running")
    serve.add_argument("--port", type=int, default=8000, help="on loopback; 0 takes a free one (default 8000)")
    serve.add_argument("--arm", choices=("before", "after"), default="after", help="how its flags are set")
    serve.add_argument("--tick-rate", type=positive, default=TICK_RATE, help="ticks a second (default %(default)g)")
    serve.add_argument("--supervised", action="store_true", help=argparse.SUPPRESS)

    watch = commands.add_parser("watch", help="print the prices that a running service streams")
    watch.add_argument("--port", type=int, default=8000, help="where the service runs (default 8000)")
    watch.add_argument("--topics", default="prices.*", help="what to subscribe to (default prices.*)")

    load = commands.add_parser("load", help="the clients that the demo starts; ends with its standard input")
    for option, kind in (("--port", int), ("--clients", whole)):
        load.add_argument(option, type=kind, required=True)
    for option in ("--seconds", "--tick-rate", "--request-rate", "--report-rate"):
        load.add_argument(option, type=positive, required=True)
    return top


def positive(text: str) -> float:
    """Return the positive finite number that `text` spells."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a positive number, got {text!r}")
    return number


def whole(text: str) -> int:
    """Return the positive int that `text` spells."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected an int of at least 1, got {text!r}")
    return number


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; each imports only what it needs."""
    told = parser().parse_args(arguments)
    if told.command == "demo":
        from examples.market_desk import demo

        settings = demo.Settings(told.seconds, told.clients, told.tick_rate, told.request_rate, told.report_rate)
        return demo.main(settings, told.json)
    if told.command == "serve":
        from examples.market_desk import server

        return server.serve(told.port, told.arm, told.tick_rate, supervised=told.supervised)
    if told.command == "watch":
        from examples.market_desk import watch

        return watch.main(told.port, told.topics)
    from examples.market_desk import load

    return load.main(
        load.LoadPlan(told.port, told.clients, told.seconds, told.tick_rate, told.request_rate, told.report_rate)
    )


if __name__ == "__main__":
    sys.exit(main())
