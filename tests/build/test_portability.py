"""Names in the C sources that another system's headers define, and the instruction sets of each target."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

pytestmark = pytest.mark.backend_independent

ROOT = Path(__file__).resolve().parents[2]
EXT = ROOT / "fastcore" / "_ext"

# Macros of <windows.h> (minwindef.h, windef.h, winnt.h, rpcndr.h, wingdi.h), of Microsoft's and POSIX' <math.h> and
# <complex.h>, and of GCC's gnu dialects: a variable or constant of that name does not compile there.
WINDOWS = """near far NEAR FAR cdecl CDECL pascal PASCAL CONST VOID IN OUT OPTIONAL small hyper
interface ERROR DELETE IGNORE STRICT TRANSPARENT OPAQUE ABSOLUTE RELATIVE NO_ERROR MIN_PRIORITY THIS_FILE"""
MATH = "HUGE DOMAIN SING OVERFLOW UNDERFLOW PLOSS TLOSS I complex imaginary M_PI M_E"
DIALECT = "unix linux i386 environ"
RESERVED = {*WINDOWS.split(), *MATH.split(), *DIALECT.split()}

TEXT = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|#\s*(?:include|error)[^\n]*', re.DOTALL
)


def reserved_names(source: str) -> list[str]:
    """Names of `source`, outside comments and strings, that are macros elsewhere."""
    return sorted(RESERVED.intersection(re.findall(r"\b[A-Za-z_]\w*", TEXT.sub(" ", source))))


@pytest.mark.parametrize(
    "line",
    ["double near[8], *far = 0;", "#define HUGE (4 << 20)", "enum { IN, OUTPUT };", "int small = 1; /* bytes */"],
)
def test_a_name_that_another_header_defines_is_found(line: str) -> None:
    assert reserved_names(line)


@pytest.mark.parametrize("line", ["/* near */ int nearest;", 'raise("HUGE");', "HUGE_VAL", "// far\nint NEARER;"])
def test_comments_texts_and_longer_names_are_not_taken_for_it(line: str) -> None:
    assert reserved_names(line) == []


def test_no_source_uses_a_name_that_another_header_defines() -> None:
    found = {
        path.relative_to(EXT).as_posix(): names
        for path in sorted(EXT.rglob("*"))
        if path.suffix in (".c", ".h") and (names := reserved_names(path.read_text(encoding="utf-8")))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("linux-x86_64", ["generic", "sse2", "avx2"]),
        ("macosx-11.0-x86_64", ["generic", "sse2", "avx2"]),
        ("win-amd64", ["generic", "sse2", "avx2"]),
        ("linux-aarch64", ["generic", "neon"]),
        ("macosx-11.0-arm64", ["generic", "neon"]),
        ("win-arm64", ["generic", "neon"]),
        ("macosx-11.0-universal2", ["generic"]),
        ("linux-riscv64", ["generic"]),
    ],
)
@pytest.mark.parametrize("msvc", [False, True], ids=["unix", "msvc"])
def test_the_instruction_sets_are_those_of_the_target(target: str, expected: list[str], msvc: bool) -> None:
    flags = runpy.run_path(str(ROOT / "tools" / "compiler_flags.py"))
    assert list(flags["instruction_sets"](target, msvc)) == expected
