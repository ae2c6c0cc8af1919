"""Cut, stall and resume the connections of a living hub at random: is anything lost, or twice, without a word of it?

    python tools/stream_chaos.py --clients 100 --seconds 120

Some clients stay away for longer than history reaches, and have to be told; a message that is missing without such a
word, or that comes twice, makes it fail.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.streaming.witness import judged


def main() -> int:
    parser = argparse.ArgumentParser(description="cut and resume the connections of a living hub")
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=50.0, help="messages a second on each of three topics")
    parser.add_argument("--history", type=int, default=30, help="messages of a topic that the hub keeps")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    total, wrong = asyncio.run(judged(options.clients, options.seconds, options.rate, options.history, options.seed))
    for name, n in sorted(total.items()):
        print(f"{name:14} {n}")
    print(f"{'wrong':14} {len(wrong)}")
    for line in wrong[:20]:
        print(" ", line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
