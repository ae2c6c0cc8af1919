"""Instructions that kernels and calls take, counted by callgrind: the same number in each run, on a busy machine too.

`counts` runs this module under valgrind in a separate interpreter. There each call is made a few times to warm up, then
`TIMES` times between two client requests to callgrind (`requests.c`), which writes a file of costs for each. The least
counts: the others met what comes round now and then, a look at the flag file for instance. Only the compiled twins are
counted; the pure ones take too long under valgrind.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

__all__ = ["counts", "missing", "names"]

SUITES = ("cache", "framing", "heap")
MORE = (
    ("dispatch", "time_fixed"),
    ("dispatch", "time_ramp_with_key"),
    ("monitor", "time_200_requests_with_metrics"),
    ("monitor", "time_counter_add"),
    ("monitor", "time_latency_observe"),
    ("fanout", "time_tick_of_one"),
    ("fanout", "time_tick_of_ten"),
    ("indicators", "time_500_live_updates"),
    ("indicators", "time_board_tick_of_500_symbols"),
)
KERNELS = ("atr", "bbands", "ema", "macd", "max", "min", "obv", "rsi", "sma", "stddev", "stoch", "vwap")
BARS = 10_000
UPDATES = 500
WARM_UP, TIMES = 4, 5
HEADER = Path("/usr/include/valgrind/callgrind.h")
SOURCE = Path(__file__).with_name("requests.c")


def missing() -> str:
    """What counting needs and this machine lacks; empty if it has all."""
    for command in ("valgrind", "cc"):
        if shutil.which(command) is None:
            return command
    return "" if HEADER.exists() else str(HEADER)


def functions() -> dict[str, Callable[[], object]]:
    """The benchmarks of other suites that are counted, by name."""
    suites = {name: importlib.import_module(f"benchmarks.bench_{name}") for name in (*SUITES, *dict(MORE))}
    found = [(name, key) for name in SUITES for key in vars(suites[name]) if key.startswith("time_")] + list(MORE)
    return {f"{name}.{key.removeprefix('time_')}": getattr(suites[name], key) for name, key in found}


def names() -> list[str]:
    kernels = [f"{kind}.{name}" for kind in ("kernel", "live") for name in KERNELS]
    return [*functions(), *kernels, *(f"definition.{name}" for name in definitions().Definition.params)]


def definitions() -> ModuleType:
    return importlib.import_module("benchmarks.bench_definitions")


def calls() -> Iterator[tuple[str, Callable[[], object]]]:
    """What this commit has of `names`."""
    for name, function in functions().items():
        if not hasattr(function, "setup"):  # see `needs`
            yield name, function
    for name in definitions().Definition.params:
        if (made := definitions().definition(name)) is not None:
            inputs = definitions().inputs(made)
            yield f"definition.{name}", lambda made=made, inputs=inputs: made(*inputs)
    import numpy as np

    try:
        from fastcore.indicators import definition
    except ImportError:
        return
    rng = np.random.default_rng(7)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, BARS)))
    columns = {"open": close, "high": close * 1.01, "low": close * 0.99, "close": close}
    columns["volume"] = rng.uniform(1e3, 1e6, BARS)
    for name in KERNELS:
        if name in definition.DEFINITIONS:
            made = definition.DEFINITIONS[name]()
            inputs = [columns[column] for column in made.columns]
            yield f"kernel.{name}", lambda made=made, inputs=inputs: made(*inputs)
            ticks = list(zip(*(column[:UPDATES].tolist() for column in inputs)))
            update = made.live().update
            yield f"live.{name}", lambda update=update, ticks=ticks: updated(update, ticks)


def updated(update: Callable[..., object], ticks: list[tuple[float, ...]]) -> None:
    """Keeps no result: how a list grows depends on what else the heap holds."""
    for tick in ticks:
        update(*tick)


def counts() -> dict[str, int]:
    """Instructions of one call of each of `calls`."""
    with tempfile.TemporaryDirectory() as folder:
        library = os.path.join(folder, "requests.so")
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, str(SOURCE)], check=True)
        fixed = ["setarch", "--addr-no-randomize"] if shutil.which("setarch") else []
        command = [*fixed, "valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={folder}/out"]
        environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
        environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[1])
        # BLAS starts a thread a core, and all of them are counted.
        environment.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
        ran = subprocess.run(
            [*command, sys.executable, "-m", "benchmarks.instructions", library],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if ran.returncode:
            raise RuntimeError(f"valgrind: expected exit status 0, got {ran.returncode}\n{ran.stderr[-4000:]}")
        found: dict[str, int] = {}
        for name, count in filter(None, map(parsed, Path(folder).glob("out*"))):
            found[name] = min(count, found.get(name, count))
    nothing = found.pop("nothing")
    return {name: count - nothing for name, count in found.items()}


def parsed(path: Path) -> tuple[str, int] | None:
    """The name and the instructions of one file of costs."""
    text = path.read_text(encoding="utf-8", errors="replace")
    name = re.search(r"^desc: Trigger: Client Request: (\S+)", text, re.MULTILINE)
    total = re.search(r"^(?:summary|totals): (\d+)", text, re.MULTILINE)
    return (name[1], int(total[1])) if name and total else None


def main(library: str) -> None:
    requests = ctypes.CDLL(library)
    gc.disable()
    for name, call in (("nothing", lambda: None), *calls()):
        label = name.encode()
        for _ in range(WARM_UP):
            call()
        for _ in range(TIMES):
            requests.begin()
            call()
            requests.end(label)


if __name__ == "__main__":
    main(sys.argv[1])
