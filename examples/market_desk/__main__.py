"""``python -m examples.market_desk``: see the package."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

ARMS = ("plain", "tuned", "fast")


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
    top = Parser(prog="python -m examples.market_desk", description="A market-data service, before and after.")
    commands = top.add_subparsers(dest="command", required=True)

    demo = commands.add_parser("demo", help="measure the service before and after optimisation, and print a table")
    demo.add_argument("--seconds", type=number, default=20.0, help="of the steady load, half of it each (default 20)")
    compare = commands.add_parser("compare", help="the same with the service tuned by hand, and in pure Python")
    compare.add_argument("--seconds", type=number, default=12.0, help="of the steady load (default 12)")
    compare.add_argument("--rounds", type=whole, default=2, help="over all arms (default 2)")
    for command in (demo, compare):
        command.add_argument("--clients", type=whole, default=1000, help="subscribers or pollers (default 1000)")
        command.add_argument("--step", type=number, default=3.0, help="seconds of each rate that is tried (default 3)")
        command.add_argument(
            "--rates", type=numbers, default=None, help="analyses a second to try, with commas between"
        )
        command.add_argument("--json", metavar="FILE", help="write what was measured there as well")
        command.add_argument("--html", metavar="FILE", help="write a page with plots there")

    soak = commands.add_parser("soak", help="two servers under load for long, with faults made on purpose")
    soak.add_argument("--minutes", type=number, default=30.0, help="how long (default 30)")
    soak.add_argument("--clients", type=whole, default=100, help="subscribers (default 100)")
    soak.add_argument("--pause", type=number, default=5.0, help="seconds between two faults (default 5)")
    soak.add_argument("--faults", type=names, default=None, help="which, with commas between (default all)")
    soak.add_argument("--json", metavar="FILE", help="write the rows there as well")
    soak.add_argument("--html", metavar="FILE", help="write a page with a plot there")

    serve = commands.add_parser("serve", help="keep the service running")
    serve.add_argument("--port", type=port, default=8000, help="on loopback; 0 takes a free one (default 8000)")
    serve.add_argument(
        "--arm", choices=("before", "after", "canary"), default="canary", help="how its flags are set (default canary)"
    )

    serve.add_argument(
        "--visitors", type=rate, default=20.0, help="requests a second that it sends to itself; 0 for none (default 20)"
    )

    watch = commands.add_parser("watch", help="print the prices that a running service streams")
    watch.add_argument("--port", type=port, default=8000, help="where the service runs (default 8000)")
    watch.add_argument("--topics", default="prices.*", help="what to subscribe to (default prices.*)")

    arm = commands.add_parser("arm", help="serve one arm, as compare does; ends with its standard input")
    arm.add_argument("arm", choices=ARMS)
    arm.add_argument("--port", type=port, default=0)
    arm.add_argument("--folder", type=Path, required=True, help="where its SQLite files are")

    server = commands.add_parser("soak-server", help="serve as one of the servers of a soak")
    server.add_argument("--port", type=port, default=0)
    server.add_argument("--folder", type=Path, required=True, help="where its files are")
    server.add_argument("--number", type=whole, required=True, help="1 or 2")

    crowd = commands.add_parser("subscribers", help="the stream's clients that compare starts")
    crowd.add_argument("--arm", required=True)
    crowd.add_argument("--port", type=port, required=True)
    crowd.add_argument("--clients", type=whole, required=True)

    load = commands.add_parser("load", help="the clients that compare starts; ends with its standard input")
    load.add_argument("--arm", required=True)
    load.add_argument("--port", type=port, required=True)
    load.add_argument("--clients", type=whole, required=True)
    for option in ("--seconds", "--rate", "--step"):
        load.add_argument(option, type=number, required=True)
    load.add_argument("--rates", type=numbers, required=True)
    return top


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


def rate(text: str) -> float:
    """Return the finite number of at least 0 that `text` spells."""
    return 0.0 if text == "0" else number(text)


def numbers(text: str) -> tuple[float, ...]:
    """Return the numbers above 0 that `text` spells with commas between."""
    return tuple(map(number, text.split(",")))


def names(text: str) -> tuple[str, ...]:
    """Return the faults that `text` names with commas between."""
    from examples.market_desk.soak.faults import FAULTS

    found = tuple(text.split(","))
    wrong = [name for name in found if name not in FAULTS]
    if wrong:
        raise argparse.ArgumentTypeError(f"expected faults of {', '.join(FAULTS)}, got {wrong[0]!r}")
    return found


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
    if options.command in ("demo", "compare"):
        from examples.market_desk.compare import run as comparison

        kind = comparison.DEMO if options.command == "demo" else comparison.COMPARE
        return comparison.main(comparison.settings(kind, options), options.json, options.html)
    if options.command == "soak":
        from examples.market_desk.soak import run as soaking

        chosen = {} if options.faults is None else {"faults": options.faults}
        settings = soaking.Settings(minutes=options.minutes, clients=options.clients, pause=options.pause, **chosen)
        return soaking.main(settings, options.json, options.html)
    if options.command == "soak-server":
        from examples.market_desk.soak.server import soak_server

        return soak_server(options.port, options.folder, options.number)
    if options.command == "serve":
        from examples.market_desk import server

        return server.serve(options.port, options.arm, options.visitors)
    if options.command == "watch":
        from examples.market_desk import watch

        return watch.main(options.port, options.topics)
    if options.command == "arm":
        from examples.market_desk.serving import run_arm

        return run_arm(options.arm, options.port, options.folder)
    if options.command == "subscribers":
        from examples.market_desk.compare import subscribers

        return subscribers.main(options.arm, options.port, options.clients)
    from examples.market_desk.compare import load

    return load.main(load.LoadPlan(**{name: value for name, value in vars(options).items() if name != "command"}))


if __name__ == "__main__":
    sys.exit(main())
