"""The loader: which binaries it loads, and its errors for the others."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

pytestmark = pytest.mark.backend_independent

if TYPE_CHECKING:
    from tests.build.conftest import Checkout

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def test_a_binary_of_other_sources_is_stale_and_not_loaded(built: Checkout) -> None:
    (built.ext / "src/tiny/part.h").write_text("#define ANSWER 43\n")
    assert built.probe() == f"{built.binary().name} is stale or foreign: it was not built from these sources"


def test_a_binary_of_another_version_is_stale(built: Checkout) -> None:
    (built.folder / "fastcore" / "_version.py").write_text('__version__ = "9.9.9"\n')
    assert "is stale or foreign" in built.probe()


def test_a_foreign_binary_is_not_even_opened_as_a_library(built: Checkout) -> None:
    built.binary().write_bytes(b"not a library at all")
    assert "is stale or foreign" in built.probe()


def test_an_empty_binary_is_foreign(built: Checkout) -> None:
    built.binary().write_bytes(b"")
    assert "is stale or foreign" in built.probe()


def test_line_endings_do_not_make_a_binary_stale(built: Checkout) -> None:
    source = built.ext / "src/tiny/part.h"
    source.write_bytes(source.read_bytes().replace(b"\n", b"\r\n"))
    assert built.probe() == "loaded"


def test_an_installed_copy_without_stamps_is_refused(built: Checkout) -> None:
    for source in ("src/tiny/module.c", "src/tiny/part.c", "src/tiny/part.h"):
        (built.ext / source).unlink()
    assert built.probe().startswith("its build stamp cannot be checked")


def test_an_installed_copy_is_checked_against_its_stamps(built: Checkout) -> None:
    stamp = built.python(
        "-c", "from fastcore._ext import _expected_stamp; print(_expected_stamp('tiny'))"
    ).stdout.strip()
    for source in ("src/tiny/module.c", "src/tiny/part.c", "src/tiny/part.h"):
        (built.ext / source).unlink()
    stamps = built.ext / "_stamps.py"
    stamps.write_text(f"STAMPS = {{'tiny': {stamp!r}}}\n")
    assert built.probe() == "loaded"
    stamps.write_text("STAMPS = {'tiny': 'fastcore-build-stamp:tiny:0.0.0:00000000;'}\n")
    assert "is stale or foreign" in built.probe()


def test_a_library_that_fails_to_import_is_reported(built: Checkout) -> None:
    image = built.binary().read_bytes()
    built.binary().write_bytes(image.replace(b"PyInit_tiny", b"PyInit_tinz"))
    assert built.probe().startswith("import failed: ")


def test_switched_off_by_environment(built: Checkout) -> None:
    assert built.probe(FASTCORE_NO_EXTENSIONS="1") == "switched off by FASTCORE_NO_EXTENSIONS"


@pytest.mark.parametrize("value", ["0", "false", "No", "off", ""])
def test_an_extension_switched_off_is_not_loaded(built: Checkout, value: str) -> None:
    assert built.probe(FASTCORE_NO_EXTENSIONS=value) == "loaded"


def test_a_missing_requested_backend_names_module_cause_and_remedy(checkout: Checkout) -> None:
    ran = checkout.python("-c", "from fastcore._ext import load; load('tiny')")
    assert ran.returncode != 0
    last = ran.stderr.strip().splitlines()[-1]
    assert (
        "BackendUnavailable: fastcore._ext.tiny is not available: not built for this Python; run `make setup`" in last
    )


def test_an_unknown_extension_is_an_error(checkout: Checkout) -> None:
    ran = checkout.python("-c", "from fastcore._ext import probe; probe('nope')")
    assert "name: expected one of tiny, leaf, got 'nope'" in ran.stderr


def test_a_requested_backend_never_falls_back(fresh_python: Run) -> None:
    code = "from fastcore.cache import TTLCache; TTLCache(maxsize=4, ttl=1)"
    ran = fresh_python(code, FASTCORE_BACKEND="compiled", FASTCORE_NO_EXTENSIONS="1")
    assert ran.returncode != 0
    assert "fastcore._ext.cache is not available: switched off by FASTCORE_NO_EXTENSIONS" in ran.stderr


@pytest.mark.parametrize("value", ["cython", "1", "true"])
def test_an_unknown_backend_is_an_error(fresh_python: Run, value: str) -> None:
    code = "from fastcore.cache import TTLCache; TTLCache(maxsize=4, ttl=1)"
    ran = fresh_python(code, FASTCORE_BACKEND=value)
    assert ran.returncode != 0
    assert "FASTCORE_BACKEND: expected " in ran.stderr
    assert f"got '{value}'" in ran.stderr


def test_a_free_threaded_python_runs_the_pure_twins(built: Checkout) -> None:
    built.free_threaded()
    assert built.probe() == "this Python is free-threaded, and the compiled twins rely on the GIL"
    ran = built.python("-c", "import sys; from fastcore import _ext; _ext.probe('tiny'); print(*sys.modules)")
    assert "fastcore._ext.tiny" not in ran.stdout.split()
