"""tools/cross.py: what it compiles for other systems, and with what headers."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from fastcore._ext._sources import EXTENSIONS, STAMP_SOURCE

pytestmark = pytest.mark.backend_independent

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def cross() -> Any:
    spec = importlib.util.spec_from_file_location("cross", ROOT / "tools" / "cross.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def sources(cross: Any, extension: str, target: str, folder: Path) -> list[str]:
    made = cross.units(extension, cross.TARGETS[target], folder, (), "-O0")
    return [unit.source.stem for unit in made]


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize(("target", "sets"), [("windows-x64", 3), ("windows-arm64", 2), ("linux-arm64", 2)])
def test_every_source_is_compiled_and_kernels_once_per_instruction_set(
    cross: Any, extension: str, target: str, sets: int, tmp_path: Path
) -> None:
    spec = EXTENSIONS[extension]
    expected = [STAMP_SOURCE, *spec.sources, *spec.kernels * sets]
    assert sorted(sources(cross, extension, target, tmp_path)) == sorted(Path(file).stem for file in expected)


def test_no_two_files_share_an_object(cross: Any, tmp_path: Path) -> None:
    for target in cross.TARGETS.values():
        made = [unit.object for name in EXTENSIONS for unit in cross.units(name, target, tmp_path, (), "-O0")]
        assert len(made) == len(set(made))


def test_the_headers_are_those_of_the_target(cross: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cross, "BUILD", tmp_path)
    python, arrays = cross.headers("windows-x64", cross.TARGETS["windows-x64"])
    assert "#define MS_WIN64 1" in (python / "pyconfig.h").read_text(encoding="utf-8")
    config = (arrays / "numpy" / "_numpyconfig.h").read_text(encoding="ascii")
    assert "#define NPY_SIZEOF_LONG 4" in config
    assert "#define NPY_SIZEOF_LONGLONG 8" in config
    assert "#define NPY_HAVE_ENDIAN_H" not in config


def test_an_unknown_target_is_named(cross: Any) -> None:
    with pytest.raises(SystemExit, match=r"expected targets among windows-x64.*, got beos"):
        cross.main(["beos"])


@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="ziglang is not installed")
@pytest.mark.parametrize(("line", "refused"), [("double near = 1.0;", True), ("double nearest = 1.0;", False)])
def test_a_name_of_windows_headers_is_refused(cross: Any, line: str, refused: bool, tmp_path: Path) -> None:
    source = tmp_path / "part.c"
    source.write_text(f"#include <windows.h>\n{line}\n")
    unit = cross.Unit(source, tmp_path / "part.o", ("-std=c11",))
    assert bool(cross.compile_one(cross.TARGETS["windows-x64"], unit)) == refused


def test_sources_that_cython_has_not_translated_are_asked_for(
    cross: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cross, "generated", lambda source: ROOT / "build" / "nothing.c")
    with pytest.raises(SystemExit, match=r"found no build/nothing.c: run `make build` first"):
        cross.main([])


def test_without_the_compiler_the_package_is_named(cross: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cross, "generated", lambda source: ROOT / "setup.py")
    monkeypatch.setattr(cross, "PACKAGE", None)
    with pytest.raises(SystemExit, match="ziglang"):
        cross.main([])
