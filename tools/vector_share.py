"""How much of the arithmetic of the NEON kernels and operators is scalar: of what is compiled, and of what runs.

Usage: python tools/vector_share.py [--src=FOLDER] [--bars=N]

Compiles them for aarch64 as a wheel has them, and counts additions, subtractions, products and quotients of doubles,
once those of machine code, and once as often as qemu executes them over N bars (tools/batch_run.c). Maps and windows,
whose results do not wait for one another, are told apart from recurrences, whose every bar waits for the one before,
and from functions that take one bar of live data; the functions that run most scalar operations are named. FOLDER is
another version's fastcore/_ext/src. It needs Debian's qemu-user-static and binutils-aarch64-linux-gnu, and the
package ziglang.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path

import cross

TARGET = cross.Target(
    "aarch64-linux-musl", "linux-aarch64"
)  # linked with its C library: addresses are those of objdump
DISASSEMBLER, EMULATOR = "aarch64-linux-gnu-objdump", "qemu-aarch64-static"
KERNELS = cross.SOURCES["EXTENSIONS"]["indicators"].kernels
SHARED = tuple(
    cross.EXT / "src" / "indicators" / f"{name}.c" for name in ("waves", "sorted", "sums_of", "present")
)  # of all instruction sets
ARITHMETIC = re.compile(r"\s+([0-9a-f]+):\s+f(?:add|sub|mul|div)\s+([vd])")
STREAMING = re.compile(r"_(?:step|one|many|run|init|valid|size|scratch|lookback|policy)$")  # a bar at a time, or once
SHOWN = 8  # functions that are named


def program(src: Path, folder: Path) -> tuple[Path, list[Path]]:
    """The kernels in a program that runs each of them once, and their objects."""
    flags = (*cross.FLAGS["UNIX"], "-DNDEBUG", "-DFC_ISA=neon", f"-I{src}")
    units = [cross.Unit(src.parent / path, folder / f"{path.replace('/', '-')}.o", flags) for path in KERNELS]
    for other in (*SHARED, cross.ROOT / "tools" / "batch_run.c"):
        units.append(cross.Unit(other, folder / f"{other.stem}.o", flags))
    for unit in units:
        if fault := cross.compile_one(TARGET, unit):
            sys.exit(f"vector_share: {unit.source}: {fault}")
    objects = [unit.object for unit in units]
    out = folder / "kernels"
    ran = cross.run(cross.ZIG, "cc", "-target", TARGET.triple, "-static", "-fno-pie", "-no-pie", *objects, "-o", out)
    if ran.returncode:
        sys.exit(f"vector_share: {ran.stderr}")
    return out, objects[: len(KERNELS)]


def arithmetic(file: Path) -> dict[str, dict[int, bool]]:
    """For each function its additions, products and so on: the address of each, and whether it is scalar."""
    listed = cross.run(DISASSEMBLER, "-d", "--no-show-raw-insn", file)
    found: dict[str, dict[int, bool]] = {}
    name = ""
    for line in listed.stdout.splitlines():
        if begin := re.match(r"[0-9a-f]+ <(.*)>:", line):
            name = begin[1]
        elif operation := ARITHMETIC.match(line):
            found.setdefault(name, {})[int(operation[1], 16)] = operation[2] == "d"
    return found


def executed(binary: Path, places: Collection[int], bars: int, remember: int, log: Path) -> Counter[int]:
    """How often qemu runs each of the operations."""
    span = f"0x{min(places):x}..0x{max(places):x}"
    trace = ("-singlestep", "-d", "exec,nochain", "-dfilter", span, "-D", str(log))
    subprocess.run([EMULATOR, *trace, str(binary), str(bars), str(remember)], check=True)
    with open(log, encoding="ascii") as lines:
        addresses = (int(line.split("/", 2)[1], 16) for line in lines if line.startswith("Trace"))
        return Counter(address for address in addresses if address in places)


def count(found: Mapping[str, Mapping[int, bool]], times: Mapping[int, int] | None = None) -> Counter[bool]:
    """How many of functions' operations are scalar, and are not, each counted once or as often as it ran."""
    counted = Counter[bool]()
    for places in found.values():
        for address, scalar in places.items():
            counted[scalar] += times[address] if times is not None else 1
    return counted


def share(what: str, counted: Counter[bool]) -> None:
    part = counted[True] / (counted.total() or 1)
    print(f"vector_share: {what}: {counted[True]:,} scalar, {counted[False]:,} of two lanes: {part:.1%} scalar")


def main(arguments: list[str]) -> int:
    options = dict(a[2:].split("=", 1) for a in arguments)
    for program_name, package in ((EMULATOR, "qemu-user-static"), (DISASSEMBLER, "binutils-aarch64-linux-gnu")):
        if shutil.which(program_name) is None:
            print(f"vector_share: skipped: this machine lacks {program_name} (Debian: apt-get install {package})")
            return 0
    with tempfile.TemporaryDirectory() as folder:
        binary, objects = program(Path(options.get("src", cross.EXT / "src")).resolve(), Path(folder))
        ours = {name for file in objects for name in arithmetic(file)}
        everything = {name: places for name, places in arithmetic(binary).items() if name in ours}
        series = {name: places for name, places in everything.items() if not STREAMING.search(name)}
        addresses = {address for places in series.values() for address in places}
        share("compiled, with those that take one bar", count(everything))
        together = Counter[bool]()
        for remember, what in enumerate(("maps and windows", "recurrences")):
            ran = executed(binary, addresses, int(options.get("bars", 1000)), remember, Path(folder, "log"))
            used = {name: places for name, places in series.items() if any(address in ran for address in places)}
            share(f"compiled, {what}", count(used))
            share(f"run, {what}", count(used, ran))
            together += count(used, ran)
            scalar = Counter({n: sum(ran[a] for a in places if places[a]) for n, places in used.items()})
            print("vector_share:", ", ".join(f"{name} {times:,}" for name, times in scalar.most_common(SHOWN)))
        share("run, all over whole series", together)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
