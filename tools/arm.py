"""Run the hot paths' tests on 64-bit ARM Linux, under qemu; where the machine cannot, say what is missing and stop.

Usage: python tools/arm.py [--all] [pytest arguments]

The extensions are compiled by `tools/cross.py` for aarch64, with optimisation, and run in a copy of the checkout with
Debian's arm64 Python and the aarch64 wheels of numpy, pandas and the rest, all in build/arm. Programs that tests start
are run by qemu too: it is registered for ARM binaries in a namespace that ends with the run, so nothing of the machine
is changed. By default a choice of files from each hot path runs on the compiled twins, with few of Hypothesis'
examples; so do files and folders that are named. --all is every test of the hot paths on both twins; there a watchdog
of seconds may take slow for hung.

It needs Debian's qemu-user-static and mmdebstrap, a kernel where each namespace can have a binfmt_misc (Linux 6.7), and
the package ziglang.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import cross
import pythons
import sanitize

ROOT = cross.ROOT
FOLDER = ROOT / "build" / "arm"
SYSTEM = FOLDER / "system"  # the root of an arm64 Debian, with the checkout's copy at /work
TREE = SYSTEM / "work"
SITE = SYSTEM / "opt" / "site"
TARGET = cross.TARGETS["linux-arm64"]
EMULATOR = "qemu-aarch64-static"
DEBIAN = ("dash", "coreutils", "libstdc++6", "tzdata", "ca-certificates", "python3", "libpython3-dev")
TESTS = (*pythons.HOT_PACKAGES, "polars>=1.0", "cachetools>=5.5", "TA-Lib>=0.8.2", "bottleneck>=1.4")
GLIBC = ("2_28", "2_27", "2_24", "2_17")
ALL = ("tests/indicators", "tests/cache", "tests/heap", "tests/framing", "tests/dispatch")


def _in(folder: str, names: str) -> tuple[str, ...]:
    return tuple(f"tests/{folder}/test_{name}.py" for name in names.split())


# On the compiled twins, with few of Hypothesis' examples, these take about ten minutes on two quiet cores.
SELECTED = (
    *_in("indicators", "kernels kernels_callable kernels_state operators live board twins"),
    *_in("cache", "calls mapping results time snapshot hostile"),
    *_in("heap", "priority_queue priority_heap priorities state hostile twins"),
    *_in("framing", "pack unpack wire frame rows fanout hostile twins"),
    *_in("dispatch", "switch assignment shadow async breaker_calls switch_hostile twins"),
)
BRIEFLY = ("--twin=compiled", "--hypothesis-profile=repeat")
# ELF, 64 bits, little-endian, executable or shared object, machine 183 (aarch64).
MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
INSIDE = f"""
set -e
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
printf '%s' ':fastcore-arm:M::{MAGIC}:{MASK}:{{emulator}}:F' > /proc/sys/fs/binfmt_misc/register
mkdir -p {{system}}/proc {{system}}/dev {{system}}/tmp
mount --rbind /proc {{system}}/proc
mount --rbind /dev {{system}}/dev
mount -t tmpfs tmpfs {{system}}/tmp
exec chroot {{system}} "$@"
"""


def sources_of_packages() -> list[str]:
    """Where this machine's apt takes Debian's packages from."""
    listed = [*Path("/etc/apt").glob("sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    return [str(path) for path in listed if path.suffix in (".list", ".sources") and "deb" in path.read_text("utf-8")]


def inside(*command: str) -> subprocess.CompletedProcess[bytes]:
    """Run a program of the ARM system in namespaces of its own."""
    script = INSIDE.format(emulator=shutil.which(EMULATOR), system=SYSTEM)
    env = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8", "CI": os.environ.get("CI", "")}
    env |= {"PYTHONPATH": "/work:/opt/site", "PYTHONDONTWRITEBYTECODE": "1", "FASTCORE_REQUIRE_EXTENSIONS": "1"}
    enter = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-c", script]
    path = os.environ.get("PATH", "/usr/bin:/bin")
    return subprocess.run(
        [*enter, "sh", "/usr/bin/env", *(f"{k}={v}" for k, v in env.items()), *command], env={"PATH": path}, check=False
    )


def missing() -> str:
    """What this machine lacks, or nothing."""
    for program, package in ((EMULATOR, "qemu-user-static"), ("mmdebstrap", "mmdebstrap"), ("unshare", "util-linux")):
        if shutil.which(program) is None:
            return f"{program} (Debian: apt-get install {package})"
    if not sources_of_packages():
        return "Debian's package sources in /etc/apt"
    if cross.PACKAGE is None:
        return "the package ziglang (pip install 'fastcore-native[cross]')"
    probe = "mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc"
    ran = cross.run(
        "unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-c", probe
    )
    return f"a binfmt_misc for each namespace (Linux 6.7): {ran.stderr.strip()}" if ran.returncode else ""


def make_system() -> None:
    """Unpack Debian's arm64 Python; nothing is installed, so nothing of it runs."""
    if (SYSTEM / "usr/bin/python3").exists():
        return
    shutil.rmtree(SYSTEM, ignore_errors=True)
    SYSTEM.mkdir(parents=True)
    release = dict(
        line.split("=", 1) for line in Path("/etc/os-release").read_text("utf-8").splitlines() if "=" in line
    )
    suite = release["VERSION_CODENAME"].strip('"')
    packages = ",".join(DEBIAN)
    ran = cross.run(
        "mmdebstrap",
        "--arch=arm64",
        "--variant=extract",
        f"--include={packages}",
        suite,
        SYSTEM,
        *sources_of_packages(),
    )
    if ran.returncode:
        shutil.rmtree(SYSTEM, ignore_errors=True)
        sys.exit(f"arm: mmdebstrap: {ran.stderr}")


def version() -> str:
    """The system's Python, as 3.11."""
    return os.readlink(SYSTEM / "usr/bin/python3").removeprefix("python")


def install_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = sorted([*project["dependencies"], *TESTS])
    mark = SITE / ".installed"
    if mark.is_file() and mark.read_text("utf-8").splitlines() == wanted:
        return
    shutil.rmtree(SITE, ignore_errors=True)
    platforms = [f"--platform=manylinux_{glibc}_aarch64" for glibc in GLIBC] + ["--platform=manylinux2014_aarch64"]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", str(SITE)]
    subprocess.run([*pip, "--only-binary=:all:", f"--python-version={version()}", *platforms, *wanted], check=True)
    mark.write_text("\n".join(wanted), encoding="utf-8")


def build() -> None:
    """A copy of the checkout with extensions for the system's Python."""
    wanted = sanitize.tracked()
    for name in wanted:
        target = TREE / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    for old in (TREE / "tests").rglob("*.py"):
        if old.relative_to(TREE).as_posix() not in wanted:
            old.unlink()
    python, arrays = FOLDER / "python", cross.headers("linux-arm64", TARGET)[1]
    shutil.copytree(SYSTEM / f"usr/include/python{version()}", python, dirs_exist_ok=True)
    shutil.copy(SYSTEM / f"usr/include/aarch64-linux-gnu/python{version()}/pyconfig.h", python / "pyconfig.h")
    suffix = f".cpython-{version().replace('.', '')}-aarch64-linux-gnu.so"
    for extension in cross.SOURCES["EXTENSIONS"]:
        units = cross.units(extension, TARGET, FOLDER / "objects", (python, arrays), "-O3")
        faults = [fault for unit in units if (fault := cross.compile_one(TARGET, unit))]
        out = TREE / "fastcore" / "_ext" / f"{extension}{suffix}"
        if faults or (faults := [cross.link(TARGET, [unit.object for unit in units], out, None)]) != [""]:
            sys.exit(f"arm: {extension}: {''.join(faults)}")


def main(arguments: Sequence[str]) -> int:
    if lacks := missing():
        print(f"arm: skipped: this machine lacks {lacks}")
        return 0
    make_system()
    install_packages()
    build()
    python = f"/usr/bin/python{version()}"
    if status := inside(python, "-m", "fastcore", "status").returncode:
        return status
    rest = [a for a in arguments if a != "--all"]
    named, every = any(a.startswith("tests") for a in rest), "--all" in arguments
    tests = () if named else ALL if every else SELECTED
    options = ["-q", "-p", "no:cacheprovider", "-o", "timeout=1200", "-n", str(os.cpu_count() or 1), "--rootdir=/work"]
    options += [] if every else BRIEFLY
    return inside("/usr/bin/env", "-C", "/work", python, "-m", "pytest", *options, *tests, *rest).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
