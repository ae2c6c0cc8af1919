"""Compile every C source, Cython's output too, for systems that this machine is not; a file that is refused fails.

Usage: python tools/cross.py [--link] [--jobs=N] [target ...]

The compiler is the `ziglang` package, which brings the C libraries of every target. CPython's headers are those of the
running Python: the macOS and Linux targets share its pyconfig.h, which has the same sizes, and Windows gets
tools/windows_pyconfig.h. numpy's headers are the installed ones with the target's sizes. Cython's output must be there:
`make build`. With --link extensions are linked as well, so that a function that the target lacks is found; the first
time the compiler builds each target's C library for that, which takes minutes. Objects lie in build/cross.

It is Clang with MinGW's headers that compiles for Windows: what Microsoft's compiler alone refuses is not found.
"""

from __future__ import annotations

import importlib.util
import os
import re
import runpy
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
EXT = ROOT / "fastcore" / "_ext"
BUILD = ROOT / "build" / "cross"
SOURCES = runpy.run_path(str(EXT / "_sources.py"))
FLAGS = runpy.run_path(str(ROOT / "tools" / "compiler_flags.py"))
PACKAGE = importlib.util.find_spec("ziglang")
# The program in the package: `python -m ziglang` would start Python for each of a thousand files.
ZIG = str(Path(PACKAGE.origin).with_name("zig")) if PACKAGE and PACKAGE.origin else "zig"


class Target(NamedTuple):
    """A system to compile for: what the compiler and what Python calls it."""

    triple: str
    platform: str

    @property
    def windows(self) -> bool:
        return self.platform.startswith("win")


TARGETS = {
    "windows-x64": Target("x86_64-windows-gnu", "win-amd64"),
    "windows-arm64": Target("aarch64-windows-gnu", "win-arm64"),
    "macos-x64": Target("x86_64-macos", "macosx-11.0-x86_64"),
    "macos-arm64": Target("aarch64-macos", "macosx-11.0-arm64"),
    "musl-x64": Target("x86_64-linux-musl", "linux-x86_64"),
    "linux-arm64": Target("aarch64-linux-gnu.2.28", "linux-aarch64"),
}

# numpy/_numpyconfig.h where it differs from Linux on x86-64: sizes in bytes.
NUMPY_SIZES = {
    "win": {"LONG": 4, "LONGDOUBLE": 8, "COMPLEX_LONGDOUBLE": 16, "WCHAR_T": 2, "OFF_T": 4},
    "macosx-11.0-arm64": {"LONGDOUBLE": 8, "COMPLEX_LONGDOUBLE": 16},
}


class Unit(NamedTuple):
    """One call of the compiler."""

    source: Path
    object: Path
    flags: tuple[str, ...]


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(c) for c in command], cwd=ROOT, capture_output=True, text=True, check=False)


def headers(name: str, target: Target) -> tuple[Path, Path]:
    """The folders of CPython's and of numpy's headers for `target`."""
    import numpy

    python = Path(shutil.copytree(sysconfig.get_path("include"), BUILD / name / "python", dirs_exist_ok=True))
    shutil.copy(sysconfig.get_config_h_filename(), python / "pyconfig.h")
    arrays = Path(shutil.copytree(numpy.get_include(), BUILD / name / "numpy", dirs_exist_ok=True))
    if target.windows:
        shutil.copy(ROOT / "tools" / "windows_pyconfig.h", python / "pyconfig.h")
    config = arrays / "numpy" / "_numpyconfig.h"
    text = config.read_text(encoding="ascii")
    if not target.platform.startswith("linux"):
        text = text.replace("#define NPY_HAVE_ENDIAN_H 1", "")
    for platform, sizes in NUMPY_SIZES.items():
        for what, size in sizes.items() if target.platform.startswith(platform) else ():
            text = re.sub(rf"(#define NPY_SIZEOF_{what}) \d+", rf"\1 {size}", text)
    config.write_text(text, encoding="ascii")
    return python, arrays


def generated(source: str) -> Path:
    """The C file of a source: for a .pyx what `setup.py` had Cython write."""
    if not source.endswith(".pyx"):
        return EXT / source
    folder = ROOT / "build" / "cython" / str(sys.implementation.cache_tag)
    return (folder / "fastcore" / "_ext" / source).with_suffix(".c")


def units(extension: str, target: Target, folder: Path, include: tuple[Path, ...], optimize: str) -> list[Unit]:
    """What setup.py would compile for `extension` on `target`, each with its flags."""
    spec = SOURCES["EXTENSIONS"][extension]
    version = runpy.run_path(str(ROOT / "fastcore" / "_version.py"))["__version__"]
    base = [optimize if flag == "-O3" else flag for flag in FLAGS["UNIX"]]
    base += ["-DNDEBUG", "-fno-sanitize=all", *(f"-I{path}" for path in (EXT / "src", *include))]
    base += [] if target.windows else ["-fPIC"]
    isas = FLAGS["instruction_sets"](target.platform) if spec.kernels else {}
    have = [f"-DFC_HAVE_{isa.upper()}=1" for isa in isas]
    stamp = SOURCES["stamp_of"](extension, str(EXT), version)
    wanted = [(SOURCES["STAMP_SOURCE"], "", [f'-DFASTCORE_STAMP="{stamp}"'])]
    numpy_macros = ["-DNPY_NO_DEPRECATED_API=NPY_1_7_API_VERSION"] if spec.numpy else []
    wanted += [(source, "", [*numpy_macros, *have]) for source in spec.sources]
    for isa, flags in isas.items():
        wanted += [(source, isa, [f"-DFC_ISA={isa}", *have, *flags]) for source in spec.kernels]
    made = []
    for source, isa, flags in wanted:
        path = folder / extension / isa / Path(source).with_suffix(".o")
        made.append(Unit(generated(source), path, (*base, *flags)))
    return made


def compile_one(target: Target, unit: Unit) -> str:
    """Compile one file; return what the compiler says against it."""
    unit.object.parent.mkdir(parents=True, exist_ok=True)
    ran = run(ZIG, "cc", "-target", target.triple, *unit.flags, "-c", unit.source, "-o", unit.object)
    return ran.stderr if ran.returncode else ""


def python_symbols() -> list[str]:
    """The C API, as the running interpreter exports it."""
    library = Path(sysconfig.get_config_var("LIBDIR") or "", sysconfig.get_config_var("INSTSONAME") or "")
    listed = run("nm", "-D", "--defined-only", library if library.is_file() else Path(sys.executable).resolve())
    return sorted(set(re.findall(r"\b_?Py\w+", listed.stdout)))


def import_library(folder: Path, target: Target) -> Path:
    """What a Windows module is linked with: a python3x.lib made from the list of the C API."""
    dll = f"python{sys.version_info.major}{sys.version_info.minor}"
    definition, library = folder / f"{dll}.def", folder / f"{dll}.lib"
    definition.write_text("\n".join([f"LIBRARY {dll}.dll", "EXPORTS", *python_symbols()]) + "\n", encoding="ascii")
    machine = "i386:x86-64" if target.triple.startswith("x86_64") else "arm64"
    ran = run(ZIG, "dlltool", "-m", machine, "-d", definition, "-l", library)
    if ran.returncode:
        sys.exit(f"cross: {library.name}: {ran.stderr}")
    return library


def link(target: Target, objects: list[Path], out: Path, library: Path | None) -> str:
    """Link one extension; return what the linker says against it."""
    open_symbols = ["-undefined", "dynamic_lookup"] if target.platform.startswith("macosx") else []
    ran = run(
        ZIG, "cc", "-target", target.triple, "-shared", *objects, *filter(None, [library]), *open_symbols, "-o", out
    )
    return ran.stderr if ran.returncode else ""


def try_target(name: str, linked: bool, jobs: int) -> int:
    """Compile, and link if asked for, everything for one target; return how many files were refused."""
    target, folder = TARGETS[name], BUILD / name
    include = headers(name, target)
    refused = count = 0
    library = import_library(folder, target) if linked and target.windows else None
    with ThreadPoolExecutor(jobs) as pool:
        for extension in SOURCES["EXTENSIONS"]:
            parts = units(extension, target, folder, include, "-O0")
            count += len(parts)
            faults = list(pool.map(lambda unit: compile_one(target, unit), parts))
            for unit, fault in zip(parts, faults, strict=True):
                if fault:
                    refused += 1
                    print(f"cross: {name}: {unit.source.relative_to(ROOT)} is refused:\n{fault}", file=sys.stderr)
            if linked and not any(faults):
                suffix = ".pyd" if target.windows else ".so"
                if fault := link(target, [unit.object for unit in parts], folder / f"{extension}{suffix}", library):
                    refused += 1
                    print(f"cross: {name}: {extension} does not link:\n{fault}", file=sys.stderr)
    print(f"cross: {name}: {count} files compiled{' and linked' if linked else ''}, {refused} refused", flush=True)
    return refused


def main(arguments: list[str]) -> int:
    jobs = next((int(a[7:]) for a in arguments if a.startswith("--jobs=")), os.cpu_count() or 1)
    names = [a for a in arguments if not a.startswith("--")] or list(TARGETS)
    if unknown := sorted(set(names) - set(TARGETS)):
        sys.exit(f"cross: expected targets among {', '.join(TARGETS)}, got {', '.join(unknown)}")
    missing = [g for n in SOURCES["EXTENSIONS"].values() for s in n.sources if not (g := generated(s)).is_file()]
    if missing:
        sys.exit(f"cross: expected Cython's output, found no {missing[0].relative_to(ROOT)}: run `make build` first")
    if PACKAGE is None:
        sys.exit("cross: expected the package ziglang, found none: pip install 'fastcore-native[cross]'")
    return min(1, sum(try_target(name, "--link" in arguments, jobs) for name in names))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
