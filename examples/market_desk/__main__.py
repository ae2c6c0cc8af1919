"""``python -m examples.market_desk``: see the package."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from fastcore._command_line import Parser, guarded, number, whole

TICK_RATE = 3.0


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = Parser(prog="python -m examples.market_desk", description="A market-data service, twice.")
    commands = top.add_subparsers(dest="command", required=True)

    demo = commands.add_parser("demo", help="measure the service before and after optimisation, and print a table")
    demo.add_argument("--seconds", type=number, default=20.0, help="time measured, half of it each (default 20)")
    demo.add_argument("--clients", type=whole, default=1000, help="WebSocket connections (default 1000)")
    demo.add_argument("--tick-rate", type=number, default=TICK_RATE, help="ticks a second (default %(default)g)")
    demo.add_argument("--request-rate", type=number, default=15.0, help="analyses a second (default 15)")
    demo.add_argument("--report-rate", type=number, default=0.2, help="reports a second (default 0.2)")
    demo.add_argument("--json", metavar="FILE", help="write what was measured there as well")

    serve = commands.add_parser("serve", help="keep the service running")
    serve.add_argument("--port", type=port, default=8000, help="on loopback; 0 takes a free one (default 8000)")
    serve.add_argument("--arm", choices=("before", "after"), default="after", help="how its flags are set")
    serve.add_argument("--tick-rate", type=number, default=TICK_RATE, help="ticks a second (default %(default)g)")
    serve.add_argument("--supervised", action="store_true", help=argparse.SUPPRESS)

    watch = commands.add_parser("watch", help="print the prices that a running service streams")
    watch.add_argument("--port", type=port, default=8000, help="where the service runs (default 8000)")
    watch.add_argument("--topics", default="prices.*", help="what to subscribe to (default prices.*)")

    load = commands.add_parser("load", help="the clients that the demo starts; ends with its standard input")
    for option, kind in (("--port", port), ("--clients", whole)):
        load.add_argument(option, type=kind, required=True)
    for option in ("--seconds", "--tick-rate", "--request-rate", "--report-rate"):
        load.add_argument(option, type=number, required=True)
    return top


def port(text: str) -> int:
    """Return the port that `text` spells; 0 is any that is free."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a port in 0..65535, got {text!r}")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return guarded(lambda: attempt(parser().parse_args(arguments)))


def attempt(told: argparse.Namespace) -> int:
    """Run what was asked for; a package that is missing is told with the extra that has it."""
    try:
        return run(told)
    except ImportError as error:
        raise ImportError(f"market desk: {error}; pip install -e '.[demo]'", name=error.name) from error


def run(told: argparse.Namespace) -> int:
    """Run what was asked for; each command imports only what it needs."""
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
