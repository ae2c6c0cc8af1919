"""setup.py: what it builds, what it refuses, and what it does when the compiler fails."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import pytest

pytestmark = pytest.mark.backend_independent

if TYPE_CHECKING:
    from tests.build.conftest import Checkout


def test_a_built_extension_loads_and_works(built: Checkout) -> None:
    assert built.probe() == "loaded"
    ran = built.python("-c", "from fastcore._ext import load; print(load('tiny').answer(), load('leaf').answer(4))")
    assert ran.stdout.split() == ["42", "55"], ran.stderr


def test_nothing_is_rebuilt_when_nothing_changed(built: Checkout) -> None:
    before = built.binary().stat().st_mtime_ns
    assert built.build().returncode == 0
    assert built.binary().stat().st_mtime_ns == before


@pytest.mark.parametrize(("name", "file"), [("tiny", "src/tiny/part.h"), ("leaf", "src/leaf/kernels/part.c")])
def test_a_changed_source_is_rebuilt_whatever_its_date(built: Checkout, name: str, file: str) -> None:
    source = built.ext / file
    source.write_text(source.read_text().replace("42", "43").replace("x + 1", "x + 2"))
    long_ago = time.time() - 10_000
    os.utime(source, (long_ago, long_ago))
    assert built.build().returncode == 0
    assert built.probe(name) == "loaded"
    ran = built.python("-c", "from fastcore._ext import load; print(load('tiny').answer(), load('leaf').answer(4))")
    assert ran.stdout.split() == (["43", "55"] if name == "tiny" else ["42", "66"])


def test_a_changed_cython_source_with_an_old_date_is_translated_again(built: Checkout) -> None:
    source = built.ext / "leaf.pyx"
    source.write_text(source.read_text().replace("return leaf(x)", "return -leaf(x)"))
    long_ago = time.time() - 10_000
    os.utime(source, (long_ago, long_ago))
    assert built.build().returncode == 0
    ran = built.python("-c", "from fastcore._ext import load; print(load('leaf').answer(4))")
    assert ran.stdout.split() == ["-55"], ran.stderr


def test_a_foreign_binary_is_replaced(built: Checkout) -> None:
    built.binary().write_bytes(b"\x7fELF" + bytes(4096))  # newer than every source
    assert built.build().returncode == 0
    assert built.probe() == "loaded"


@pytest.mark.skipif(sys.platform == "win32", reason="MSVC has other options")
def test_options_of_inexact_arithmetic_are_left_out_and_named(checkout: Checkout) -> None:
    """As built with ``CFLAGS=-Ofast``, an import rounds subnormal numbers to zero, as GCC links it."""
    ran = checkout.build(CFLAGS="-Ofast -ffast-math", LDFLAGS="-funsafe-math-optimizations", CC="cc -ffinite-math-only")
    assert ran.returncode == 0, ran.stderr
    assert "left out, as results would be wrong: -Ofast -ffast-math -ffinite-math-only -funsafe-math-opt" in ran.stderr
    code = "from fastcore._ext import load; load('tiny'); print(load('leaf').answer(4), float('1e-310') * float('0.5'))"
    assert checkout.python("-c", code).stdout.split() == ["55", "5e-311"]


def test_without_a_compiler_extensions_are_left_out(checkout: Checkout) -> None:
    ran = checkout.build(CC="/bin/false", CXX="/bin/false")
    assert ran.returncode == 0, ran.stderr
    assert "tiny" in ran.stdout + ran.stderr, "the build must say which extension it left out"
    assert checkout.probe() == "not built for this Python"


def test_a_failed_build_leaves_no_binary_that_loads(built: Checkout) -> None:
    (built.ext / "src/tiny/part.h").write_text("#define ANSWER 43\n")
    assert built.build(CC="/bin/false").returncode == 0
    assert "stale" in built.probe()
    assert built.probe("leaf") == "loaded"


def test_a_required_extension_that_fails_is_fatal(checkout: Checkout) -> None:
    ran = checkout.build(CC="/bin/false", CXX="/bin/false", FASTCORE_REQUIRE_EXTENSIONS="1")
    assert ran.returncode != 0


def test_a_broken_cython_source_leaves_the_others(built: Checkout) -> None:
    (built.ext / "leaf.pyx").write_text("def answer(:\n")
    ran = built.build()
    assert ran.returncode == 0, ran.stderr
    assert built.probe("tiny") == "loaded"
    assert "stale" in built.probe("leaf")
    assert built.build(FASTCORE_REQUIRE_EXTENSIONS="1").returncode != 0


def test_a_missing_source_is_named(checkout: Checkout) -> None:
    (checkout.ext / "src/tiny/part.h").unlink()
    ran = checkout.build(FASTCORE_REQUIRE_EXTENSIONS="1")
    assert ran.returncode != 0
    assert "src/tiny/part.h" in ran.stderr


def test_contradictory_switches_are_an_error(checkout: Checkout) -> None:
    ran = checkout.build(FASTCORE_NO_EXTENSIONS="1", FASTCORE_REQUIRE_EXTENSIONS="1")
    assert ran.returncode != 0
    assert "contradict" in ran.stderr


def test_an_unknown_value_of_a_switch_is_an_error(checkout: Checkout) -> None:
    ran = checkout.build(FASTCORE_NO_EXTENSIONS="maybe")
    assert ran.returncode != 0
    assert "FASTCORE_NO_EXTENSIONS: expected one of 1, true, yes, on, 0, false, no, off, got 'maybe'" in ran.stderr


def test_an_unknown_extension_name_is_an_error(checkout: Checkout) -> None:
    ran = checkout.build(FASTCORE_BUILD_ONLY="tiny,hepa")
    assert ran.returncode != 0
    assert "expected names of tiny, leaf, got hepa" in ran.stderr


def test_no_extensions_builds_none(checkout: Checkout) -> None:
    assert checkout.build(FASTCORE_NO_EXTENSIONS="1").returncode == 0
    assert not list(checkout.ext.glob("*.so"))


def test_a_free_threaded_python_gets_no_extensions_and_is_told_why(checkout: Checkout) -> None:
    checkout.free_threaded()
    ran = checkout.build(FASTCORE_REQUIRE_EXTENSIONS="0")
    assert ran.returncode == 0, ran.stderr
    assert "expected a Python with the GIL to build extensions for, got a free-threaded one" in ran.stderr
    assert list(checkout.ext.glob("*.so")) == []


def test_extensions_required_of_a_free_threaded_python_are_an_error(checkout: Checkout) -> None:
    checkout.free_threaded()
    ran = checkout.build(FASTCORE_REQUIRE_EXTENSIONS="1")
    assert ran.returncode != 0
    assert ran.stderr.endswith("expected a Python with the GIL to build extensions for, got a free-threaded one\n")
