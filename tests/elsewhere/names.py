"""Names that a module of the standard library lacks on another system, read from typeshed's stubs.

Source: github.com/python/typeshed, the copy that mypy installs. Its stubs say under ``if sys.platform == ...`` which
names exist where, and are compared with real interpreters of each system by stubtest.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import sys
from pathlib import Path

__all__ = ["MODULES", "missing_names"]

MODULES = ("os", "sys", "socket", "signal", "select", "time", "asyncio", "multiprocessing", "stat", "errno")
_PRIVATE = {"socket": ("_socket",)}  # stubs that hold what a public one only imports
_CACHE = Path(__file__).resolve().parents[2] / "build" / "elsewhere"


def missing_names(system: str) -> dict[str, list[str]]:
    """Return the names that each of MODULES has here and has not on `system` ("darwin" or "win32")."""
    version = "{}.{}".format(*sys.version_info[:2])
    kept = _CACHE / f"{system}-{version}.json"
    if kept.is_file():
        found: dict[str, list[str]] = json.loads(kept.read_text(encoding="utf-8"))
        return found
    found = {name: sorted(_missing(name, system)) for name in MODULES}
    _CACHE.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(found), encoding="utf-8")
    return found


def _missing(module: str, system: str) -> set[str]:
    here: set[str] = set()
    there: set[str] = set()
    for name in (module, *_PRIVATE.get(module, ())):
        tree = _stub(name)
        here |= _names(tree.body, sys.platform)
        there |= _names(tree.body, system)
    return here - there


def _stub(module: str) -> ast.Module:
    spec = importlib.util.find_spec("mypy")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("--system: expected mypy, whose stubs say what a system lacks; pip install -e '.[dev]'")
    folder = Path(spec.submodule_search_locations[0], "typeshed", "stdlib")
    path = folder / f"{module}.pyi"
    return ast.parse((path if path.is_file() else folder / module / "__init__.pyi").read_text(encoding="utf-8"))


def _names(body: list[ast.stmt], system: str) -> set[str]:
    """Names that statements bind on a system; a condition that is not about systems or versions counts as true."""
    found: set[str] = set()
    for statement in body:
        match statement:
            case ast.If(test, then, otherwise):
                found |= _names(then if _holds(test, system) else otherwise, system)
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
                found.add(name)
            case ast.AnnAssign(ast.Name(name)) | ast.Assign([ast.Name(name)]):
                found.add(name)
            case ast.Import(aliases) | ast.ImportFrom(_, aliases):
                found |= {alias.asname or alias.name for alias in aliases}
    return found - {"__all__"}


def _holds(test: ast.expr, system: str) -> bool:
    match test:
        case ast.BoolOp(ast.And(), values):
            return all(_holds(value, system) for value in values)
        case ast.BoolOp(ast.Or(), values):
            return any(_holds(value, system) for value in values)
        case ast.UnaryOp(ast.Not(), value):
            return not _holds(value, system)
        case ast.Compare(ast.Attribute(ast.Name("sys"), "platform"), [operator], [ast.Constant(str(name))]):
            return (system == name) is isinstance(operator, ast.Eq)
        case ast.Compare(ast.Attribute(ast.Name("sys"), "version_info"), [operator], [ast.Tuple(numbers)]):
            wanted = tuple(number.value for number in numbers if isinstance(number, ast.Constant))
            return (sys.version_info >= wanted) is isinstance(operator, ast.GtE)
        case ast.Call(ast.Attribute(_, "startswith"), [ast.Constant(str(prefix))]):
            return system.startswith(prefix)
    return True
