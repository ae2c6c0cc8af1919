"""``python -m examples.market_desk``: see the package."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

TICK_RATE = 3.0


class Parser(argparse.ArgumentParser):
    """A parser that accepts no abbreviations and suggests a similar name."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **options})

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, and refuse unknown arguments with the usage of the subcommand."""
        found, left = super().parse_known_args(args, namespace)
        if left:
            self.error(f"unexpected arguments: {' '.join(left)}")
        return found, left

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        wrong = re.search(r"(?:invalid choice: '|unexpected arguments: )([^ '=]+)", message)
        choices = re.findall(r"[\w-]+", message.partition("choose from")[2])
        near = get_close_matches(wrong[1], choices or re.findall(r"--[\w-]+", self.format_help()), 1) if wrong else []
        super().error(f"{message}; did you mean {near[0]}?" if near else message)


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
    add_comparison(commands)
    return top


def add_comparison(commands: Any) -> None:
    """Add the comparison, and the processes that it starts."""
    compare = commands.add_parser("compare", help="measure plain, tuned and fast, and print every target")
    compare.add_argument("--rounds", type=whole, default=2, help="over all arms (default 2)")
    compare.add_argument("--clients", type=whole, default=1000, help="subscribers or pollers (default 1000)")
    compare.add_argument("--seconds", type=number, default=12.0, help="of the steady load (default 12)")
    compare.add_argument("--step", type=number, default=3.0, help="seconds of each rate that is tried (default 3)")
    compare.add_argument("--rates", type=words, default=None, help="analyses a second to try, with commas between")
    compare.add_argument("--arms", type=words, default=None, help="some of them, with commas between")
    compare.add_argument("--json", metavar="FILE", help="write what was measured there as well")
    compare.add_argument("--html", metavar="FILE", help="write a page with plots there")

    arm = commands.add_parser("arm", help="serve one arm, as compare does; ends with its standard input")
    arm.add_argument("arm", choices=("plain", "tuned", "fast"))
    arm.add_argument("--port", type=port, default=0)
    arm.add_argument("--folder", required=True, help="where its SQLite files are")

    load = commands.add_parser("compare-load", help="the clients that compare starts; ends with its standard input")
    load.add_argument("--arm", required=True)
    load.add_argument("--port", type=port, required=True)
    load.add_argument("--clients", type=whole, required=True)
    for option in ("--seconds", "--rate", "--step"):
        load.add_argument(option, type=number, required=True)
    load.add_argument("--rates", type=words, required=True)


def words(text: str) -> tuple[str, ...]:
    """Return what stands between commas."""
    return tuple(filter(None, text.split(",")))


def port(text: str) -> int:
    """Return the port that `text` spells; 0 is any that is free."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a port in 0..65535, got {text!r}")
    return int(text)


def number(text: str) -> float:
    """Return the finite number above 0 that `text` spells."""
    with suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")


def whole(text: str) -> int:
    """Return the int of at least 1 that `text` spells."""
    with suppress(ValueError):
        if int(text) >= 1:
            return int(text)
    raise argparse.ArgumentTypeError(f"expected an int >= 1, got {text!r}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code. An error is one line on standard error."""
    try:
        code = run(parser().parse_args(arguments))
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader, such as `head`, has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except ImportError as error:
        print(f"market desk: {error}; pip install -e '.[demo]'", file=sys.stderr)
    except (ValueError, OSError) as error:
        print(f"market desk: {error}", file=sys.stderr)
    return 2


def run(options: argparse.Namespace) -> int:
    """Run the command; each command imports only its own modules."""
    if options.command == "demo":
        from examples.market_desk import demo

        settings = demo.Settings(
            options.seconds, options.clients, options.tick_rate, options.request_rate, options.report_rate
        )
        return demo.main(settings, options.json)
    if options.command == "serve":
        from examples.market_desk import server

        return server.serve(options.port, options.arm, options.tick_rate, supervised=options.supervised)
    if options.command == "watch":
        from examples.market_desk import watch

        return watch.main(options.port, options.topics)
    if options.command in ("compare", "arm", "compare-load"):
        return run_comparison(options)
    from examples.market_desk import load

    return load.main(
        load.LoadPlan(
            options.port, options.clients, options.seconds, options.tick_rate, options.request_rate, options.report_rate
        )
    )


def run_comparison(options: argparse.Namespace) -> int:
    """Run the comparison, or one of the processes that it starts."""
    if options.command == "compare":
        from examples.market_desk.compare import run as comparison
        from examples.market_desk.compare.targets import ARMS

        arms = ARMS if options.arms is None else options.arms
        if unknown := [arm for arm in arms if arm not in ARMS]:
            raise ValueError(f"--arms: expected some of {', '.join(ARMS)}, got {unknown[0]!r}")
        settings = comparison.Settings(arms, options.rounds, options.clients, options.seconds, options.step)
        if options.rates:
            settings = replace(settings, rates=tuple(map(float, options.rates)))
        return comparison.main(settings, options.json, options.html)
    if options.command == "arm":
        from examples.market_desk.serving import run_arm

        return run_arm(options.arm, options.port, Path(options.folder))
    from examples.market_desk.compare import load

    rates = tuple(map(float, options.rates))
    return load.main(
        load.LoadPlan(options.arm, options.port, options.clients, options.seconds, options.rate, options.step, rates)
    )


if __name__ == "__main__":
    sys.exit(main())
