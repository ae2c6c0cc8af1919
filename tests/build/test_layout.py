"""The lists of the build match the files on disk."""

from __future__ import annotations

import graphlib
import re
import tomllib
from pathlib import Path

import grimp
import pytest

from fastcore._ext._sources import EXTENSIONS, STAMP_SOURCE, files_of

pytestmark = pytest.mark.backend_independent

ROOT = Path(__file__).resolve().parents[2]
EXT = ROOT / "fastcore" / "_ext"


def on_disk(*suffixes: str) -> set[str]:
    return {p.relative_to(EXT).as_posix() for p in EXT.rglob("*") if p.suffix in suffixes}


def listed() -> set[str]:
    return {file for name in EXTENSIONS for file in files_of(name)}


def test_every_listed_source_exists() -> None:
    assert sorted(file for file in listed() if not (EXT / file).is_file()) == []


def test_every_source_on_disk_is_listed() -> None:
    assert sorted(on_disk(".pyx", ".pxd", ".pxi", ".c", ".h") - listed() - {STAMP_SOURCE}) == []


INCLUDE = re.compile(r'^(?:#include|(?P<pxi>include)|cdef extern from) "([^"]+)"', re.MULTILINE)


def included(file: str, found: set[str]) -> set[str]:
    """What `file` includes of ours, and what that includes."""
    for match in INCLUDE.finditer((EXT / file).read_text(encoding="utf-8")):
        other = match[2] if match["pxi"] else f"src/{match[2]}"
        if other not in found and (EXT / other).is_file():
            found.add(other)
            included(other, found)
    return found


@pytest.mark.parametrize("name", sorted(EXTENSIONS))
def test_an_extension_lists_what_its_sources_include(name: str) -> None:
    spec, found = EXTENSIONS[name], set()
    for file in (*spec.sources, *spec.kernels):
        included(file, found)
    assert sorted(spec.headers) == sorted(found)


@pytest.mark.parametrize("name", sorted(EXTENSIONS))
def test_every_extension_has_a_stub(name: str) -> None:
    assert (EXT / f"{name}.pyi").is_file()


def test_packages_equal_the_tree() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    tree = {
        init.parent.relative_to(ROOT).as_posix().replace("/", ".")
        for top in ("fastcore", "python_fallback")
        for init in (ROOT / top).rglob("__init__.py")
    }
    assert sorted(config["tool"]["setuptools"]["packages"]) == sorted(tree)


def test_no_folder_of_python_files_is_left_without_init() -> None:
    folders = {p.parent for top in ("fastcore", "python_fallback") for p in (ROOT / top).rglob("*.py")}
    assert sorted(str(f) for f in folders if not (f / "__init__.py").is_file()) == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports inside functions count; those for type checkers do not."""
    graph = grimp.build_graph("fastcore", "python_fallback", exclude_type_checking_imports=True, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) - {module} for module in graph.modules}
    tuple(graphlib.TopologicalSorter(imports).static_order())  # names the modules of a circle


def test_compiled_sources_take_from_the_pure_twins_only_what_both_share() -> None:
    named = re.compile(r"\bpython_fallback\.[a-z_.]+")
    taken = {
        f"{path.relative_to(EXT)}: {name}"
        for path in EXT.rglob("*")
        if path.suffix in {".pyx", ".pxi", ".c", ".h", ".pyi"}
        for line in path.read_text(encoding="utf-8").splitlines()
        if "/*" not in line
        for name in named.findall(line)
        if not name.startswith("python_fallback.shared")
    }
    assert sorted(taken) == []


SUFFIXES = (".py", ".pyi", ".pyx", ".pxi", ".c", ".h", ".js", ".mjs", ".ts", ".css", ".html")
WRITTEN = ("fastcore/indicators/__init__.pyi",)  # from the registry, by a program


def test_no_file_has_more_than_500_lines() -> None:
    long = {}
    for top in ("fastcore", "python_fallback", "tests", "tools", "examples", "benchmarks"):
        for path in (ROOT / top).rglob("*"):
            if path.suffix in SUFFIXES:
                lines = len(path.read_text(encoding="utf-8").splitlines())
                name = path.relative_to(ROOT).as_posix()
                if lines > 500 and name not in WRITTEN:
                    long[name] = lines
    assert long == {}
