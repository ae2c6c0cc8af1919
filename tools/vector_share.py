"""How much of the arithmetic of the NEON kernels is scalar: of what is compiled, and of what runs.

Usage: python tools/vector_share.py [--src=FOLDER] [--bars=N]

Compiles the kernels for aarch64 as a wheel has them, and counts additions, subtractions, products and quotients of
doubles: those in the machine code of whole-series functions, and those that qemu executes while every kernel runs once
over N bars (tools/batch_run.c). The first share is the higher one, since the loops for the last one to three bars are
as long as those for all others. An executed share of 20 % or more is an error. FOLDER is another version's
fastcore/_ext/src. It needs Debian's qemu-user-static and binutils-aarch64-linux-gnu, and the package ziglang.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import cross

TARGET = cross.Target(
    "aarch64-linux-musl", "linux-aarch64"
)  # linked with its C library: addresses are those of objdump
DISASSEMBLER, EMULATOR = "aarch64-linux-gnu-objdump", "qemu-aarch64-static"
KERNELS = cross.SOURCES["EXTENSIONS"]["indicators"].kernels
ARITHMETIC = re.compile(r"\s+([0-9a-f]+):\s+f(?:add|sub|mul|div)\s+([vd])")
STREAMING = re.compile(r"_(?:one|many|run|init|valid|size|scratch|lookback|policy)$")  # a bar at a time, or once
LIMIT = 0.20


def program(src: Path, folder: Path) -> tuple[Path, list[Path]]:
    """The kernels in a program that runs each of them once, and their objects."""
    flags = (*cross.FLAGS["UNIX"], "-DNDEBUG", "-DFC_ISA=neon", f"-I{src}")
    units = [cross.Unit(src.parent / path, folder / f"{Path(path).stem}.o", flags) for path in KERNELS]
    units.append(cross.Unit(cross.ROOT / "tools" / "batch_run.c", folder / "main.o", flags))
    for unit in units:
        if fault := cross.compile_one(TARGET, unit):
            sys.exit(f"vector_share: {unit.source}: {fault}")
    objects = [unit.object for unit in units]
    out = folder / "kernels"
    ran = cross.run(*cross.ZIG, "cc", "-target", TARGET.triple, "-static", "-fno-pie", "-no-pie", *objects, "-o", out)
    if ran.returncode:
        sys.exit(f"vector_share: {ran.stderr}")
    return out, objects[:-1]


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


def executed(binary: Path, places: dict[int, bool], bars: int, log: Path) -> Counter[bool]:
    """How often qemu runs a scalar and a vector operation."""
    span = f"0x{min(places):x}..0x{max(places):x}"
    trace = ("-singlestep", "-d", "exec,nochain", "-dfilter", span, "-D", str(log))
    subprocess.run([EMULATOR, *trace, str(binary), str(bars)], check=True)
    counted: Counter[bool] = Counter()
    with open(log, encoding="ascii") as lines:
        for line in lines:
            address = int(line.split("/", 2)[1], 16) if line.startswith("Trace") else -1
            if address in places:
                counted[places[address]] += 1
    return counted


def share(scalar: int, vector: int) -> str:
    return f"{scalar:,} scalar, {vector:,} of two lanes: {scalar / (scalar + vector):.1%} scalar"


def main(arguments: list[str]) -> int:
    options = dict(a[2:].split("=", 1) for a in arguments)
    for tool, package in ((EMULATOR, "qemu-user-static"), (DISASSEMBLER, "binutils-aarch64-linux-gnu")):
        if shutil.which(tool) is None:
            print(f"vector_share: skipped: this machine lacks {tool} (Debian: apt-get install {package})")
            return 0
    with tempfile.TemporaryDirectory() as folder:
        binary, objects = program(Path(options.get("src", cross.EXT / "src")).resolve(), Path(folder))
        of_kernels = {name for file in objects for name in arithmetic(file) if not STREAMING.search(name)}
        linked = {name: places for name, places in arithmetic(binary).items() if name in of_kernels}
        places = {address: scalar for found in linked.values() for address, scalar in found.items()}
        scalar = sum(places.values())
        print(f"vector_share: compiled: {share(scalar, len(places) - scalar)}")
        counted = executed(binary, places, int(options.get("bars", 1000)), Path(folder) / "log")
        print(f"vector_share: executed: {share(counted[True], counted[False])}")
        return int(counted[True] >= LIMIT * counted.total())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
