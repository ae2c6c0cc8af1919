"""Run the suite under AddressSanitizer and UndefinedBehaviorSanitizer, in a copy of the checkout; any report fails.

Usage: python tools/sanitize.py [--leaks | pytest arguments]

The copy lies in build/asan, so the normal extensions stay as they are, and is built again only where it changed: the
suite can be run folder by folder. Reports go to files, because a sanitized process that dies inside a test that expects
its child to fail would be overlooked otherwise. The leak programs of tests/isolated are run under LeakSanitizer too,
where that can run: after the whole suite, or alone with --leaks.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "asan"
TREE = FOLDER / "tree"
REPORTS = FOLDER / "reports"
SANITIZERS = "address,undefined"
LIBRARIES = ("libasan.so", "libubsan.so", "libstdc++.so.6")  # the last so that C++ exceptions in peers are seen
LEAK_PROGRAMS = "tests/isolated/leak_*.py"
PLANTED = "import ctypes; [ctypes.CDLL(None).malloc(4321) for _ in range(9)]"  # a pointer or two may stay on the stack
SKIPPED = ("tests/build",)  # compiles with the normal compiler and flags


def tracked() -> list[str]:
    """Files of the checkout, with those not committed yet, without what git ignores."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def copy_tree() -> None:
    """Bring the copy up to date; files keep their dates so that only what changed is built again."""
    wanted = set(tracked())
    if TREE.exists():
        for old in (p for p in TREE.rglob("*") if p.is_file() and p.suffix in {".py", ".pyx", ".pxi", ".c", ".h"}):
            name = old.relative_to(TREE).as_posix()
            if name not in wanted and not name.startswith("build/"):
                old.unlink()
    for name in wanted:
        target = TREE / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)


def preload(compiler: str) -> str:
    """The runtime libraries of `compiler`, to be loaded before anything else."""
    found = []
    for name in LIBRARIES:
        ran = subprocess.run([compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=True)
        path = ran.stdout.strip()
        if not os.path.isabs(path):
            sys.exit(f"sanitize: expected {name} in the folder of the compiler {compiler}, found none (GCC ships it)")
        found.append(path)
    return ":".join(found)


def environment(compiler: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("FASTCORE_")}
    return {
        **kept,
        "CC": compiler,
        "FASTCORE_REQUIRE_EXTENSIONS": "1",
        "FASTCORE_SANITIZE": SANITIZERS,
        "PYTHONPATH": str(TREE),  # before the editable install, in child processes too
    }


def asan_options(leaks: bool) -> str:
    # the suppressions name libraries that lie deep in the stack, which only a slow look into it finds
    looking = "detect_leaks=1:fast_unwind_on_malloc=0" if leaks else "detect_leaks=0"
    return f"{looking}:allocator_may_return_null=1:log_path={REPORTS}/asan"


def runtime(compiler: str) -> dict[str, str]:
    """What the sanitized process needs on top."""
    return {
        "LD_PRELOAD": preload(compiler),
        "PYTHONMALLOC": "malloc",
        "ASAN_OPTIONS": asan_options(leaks=False),
        "LSAN_OPTIONS": f"print_suppressions=0:suppressions={ROOT / 'tools' / 'lsan.supp'}",
        "UBSAN_OPTIONS": f"print_stacktrace=1:log_path={REPORTS}/ubsan",
    }


def assert_sanitized(env: dict[str, str]) -> None:
    """Every extension that the run would load must lie in the copy and call into the sanitizer."""
    code = "from fastcore import _ext; print(*[_ext.load(n).__file__ for n in _ext.EXTENSIONS], sep='\\n')"
    ran = subprocess.run([sys.executable, "-c", code], cwd=TREE, env=env, capture_output=True, text=True, check=False)
    if ran.returncode:
        sys.exit(f"sanitize: the extensions do not load:\n{ran.stderr}")
    for line in ran.stdout.splitlines():
        path = Path(line)
        if not path.is_relative_to(TREE) or b"__asan_" not in path.read_bytes():
            sys.exit(f"sanitize: expected sanitized extensions in {TREE}, got {path}")


def is_finding(report: str) -> bool:
    """True but for the note that an absurdly large allocation was refused, which tests ask for on purpose."""
    noted = "WARNING: AddressSanitizer failed to allocate"
    return any(line.strip() and noted not in line for line in report.splitlines())


def take_reports() -> list[str]:
    """The reports so far, which are removed."""
    found = [text for path in sorted(REPORTS.iterdir()) if is_finding(text := path.read_text(errors="replace"))]
    shutil.rmtree(REPORTS)
    REPORTS.mkdir()
    return found


def run_leak_programs(env: dict[str, str]) -> int:
    """Run each under LeakSanitizer; how many ended with an error. None is run where it does not see a planted leak."""
    env = {**env, "ASAN_OPTIONS": asan_options(leaks=True)}
    subprocess.run([sys.executable, "-c", PLANTED], env=env, capture_output=True, check=False)
    planted = take_reports()
    if not any("detected memory leaks" in text for text in planted):
        print(f"sanitize: LeakSanitizer does not run here (it needs ptrace): leaks not looked for\n{''.join(planted)}")
        return 0
    failed = 0
    for program in sorted(TREE.glob(LEAK_PROGRAMS)):
        ran = subprocess.run([sys.executable, str(program)], cwd=program.parent, env=env, check=False)
        print(f"sanitize: {program.name} ended with {ran.returncode}")
        failed += ran.returncode != 0
    return failed


def main(arguments: list[str]) -> int:
    compiler = os.environ.get("ASAN_CC", "gcc")
    copy_tree()
    env = environment(compiler)
    subprocess.run([sys.executable, "setup.py", "-q", "build_ext", "--inplace"], cwd=TREE, env=env, check=True)
    shutil.rmtree(REPORTS, ignore_errors=True)
    REPORTS.mkdir(parents=True)
    env |= runtime(compiler)
    assert_sanitized(env)
    chosen = arguments or [
        *(f"--ignore={name}" for name in SKIPPED),
        "-q",
        "-o",
        "timeout=600",
        "-p",
        "no:cacheprovider",
    ]
    code, failed, reports = 0, 0, []
    if arguments != ["--leaks"]:
        code = subprocess.run([sys.executable, "-m", "pytest", *chosen], cwd=TREE, env=env, check=False).returncode
        reports = take_reports()
    if arguments in ([], ["--leaks"]):
        failed = run_leak_programs(env)
        reports += take_reports()
    for text in reports:
        print(f"\n---\n{text[:8000]}", file=sys.stderr)
    print(f"sanitize: pytest ended with {code}; leak programs that failed: {failed}; sanitizer reports: {len(reports)}")
    return 1 if code or failed or reports else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
