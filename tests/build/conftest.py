"""A checkout with one tiny extension, so that the real setup.py and loader are tried on a build of a second."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from fastcore._ext._sources import STAMP_SOURCE

ROOT = Path(__file__).resolve().parents[2]

TABLE = """
EXTENSIONS: dict[str, Sources] = {
    "tiny": _extension(*_in("tiny", "module.c part.c part.h")),
    "leaf": _extension("leaf.pyx", *_in("leaf", "part.c part.h"), kernels=_in("leaf/kernels", "part.c")),
}
"""
SOURCES = {
    "src/tiny/part.h": "#define ANSWER 42\nextern const long answer_of_part;\n",
    "src/tiny/part.c": '#include "tiny/part.h"\nconst long answer_of_part = ANSWER;\n',
    "src/tiny/module.c": """
#include <Python.h>
#include "tiny/part.h"
static PyObject *answer(PyObject *m, PyObject *a) { return PyLong_FromLong(answer_of_part); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, ""}, {NULL}};
static struct PyModuleDef def = {PyModuleDef_HEAD_INIT, "tiny", NULL, -1, methods};
PyMODINIT_FUNC PyInit_tiny(void) { return PyModule_Create(&def); }
""",
    "src/leaf/part.h": "#define LEAF_NAME2(isa) leaf_##isa\n#define LEAF_NAME(isa) LEAF_NAME2(isa)\nint none(void);\n",
    "src/leaf/part.c": '#include "leaf/part.h"\nint none(void) { return 0; }\n',
    "src/leaf/kernels/part.c": '#include "leaf/part.h"\nint LEAF_NAME(FC_ISA)(int x) { return none() + x + 1; }\n',
    "leaf.pyx": """
cdef extern from *:
    '''
    #if defined(FC_HAVE_SSE2)
    int leaf_sse2(int); int leaf_avx2(int);
    static int leaf(int x) { return leaf_sse2(x) + 10 * leaf_avx2(x); }
    #elif defined(FC_HAVE_NEON)
    int leaf_generic(int); int leaf_neon(int);
    static int leaf(int x) { return leaf_generic(x) + 10 * leaf_neon(x); }
    #else
    int leaf_generic(int);
    static int leaf(int x) { return 11 * leaf_generic(x); }
    #endif
    '''
    int leaf(int)

def answer(int x):
    return leaf(x)
""",
}


class Checkout:
    """A copy of the build's files in a separate folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ext = folder / "fastcore" / "_ext"
        for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, folder / name)
        skip = shutil.ignore_patterns("*.so", "*.pyd", "*.pyx", "src", "__pycache__")
        for name in ("fastcore", "python_fallback"):
            shutil.copytree(ROOT / name, folder / name, ignore=skip)
        table = (self.ext / "_sources.py").read_text(encoding="utf-8")
        start, end = table.index("EXTENSIONS: dict"), table.index("STAMP_PREFIX")
        (self.ext / "_sources.py").write_text(table[:start] + TABLE + table[end:], encoding="utf-8")
        stamp = (ROOT / "fastcore" / "_ext" / STAMP_SOURCE).read_text(encoding="utf-8")
        (folder / "tools").mkdir()
        for name in ("compiler_flags.py", "description.py"):
            shutil.copy(ROOT / "tools" / name, folder / "tools" / name)
        for name, text in {**SOURCES, STAMP_SOURCE: stamp}.items():
            (self.ext / name).parent.mkdir(parents=True, exist_ok=True)
            (self.ext / name).write_text(text, encoding="utf-8")
        (folder / "fastcore" / "__init__.py").write_text("", encoding="utf-8")

    def environment(self, **changes: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("FASTCORE_") and k != "PYTHONPATH"}
        # A module that changes twice in a second, and keeps its size, is what it was to Python's bytecode.
        return {**kept, "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1", **changes}

    def python(self, *args: str, **changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *args],
            cwd=self.folder,
            env=self.environment(**changes),
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def build(self, **changes: str) -> subprocess.CompletedProcess[str]:
        return self.python("setup.py", "-q", "build_ext", "--inplace", **changes)

    def probe(self, name: str = "tiny", **changes: str) -> str:
        """What the loader says of `name`: "loaded", or the cause why not."""
        code = f"from fastcore import _ext; print(_ext.probe({name!r}).cause or 'loaded')"
        ran = self.python("-c", code, **changes)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    def free_threaded(self) -> None:
        """Let every Python that runs here say that it was built without the GIL, as PEP 703 has it."""
        (self.folder / "sitecustomize.py").write_text(FREE_THREADED, encoding="utf-8")

    def binary(self, name: str = "tiny") -> Path:
        return self.ext / (name + sysconfig.get_config_var("EXT_SUFFIX"))


FREE_THREADED = """
import sys, sysconfig
sysconfig.get_config_vars()["Py_GIL_DISABLED"] = 1
sys._is_gil_enabled = lambda: False
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A checkout whose extensions are not built yet."""
    return Checkout(tmp_path)


@pytest.fixture(scope="session")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One compiled checkout for the session; tests change copies of it."""
    if os.environ.get("FASTCORE_NO_EXTENSIONS", "0") == "1":
        pytest.skip("the pure suite needs no compiler")
    made = Checkout(tmp_path_factory.mktemp("built"))
    ran = made.build(FASTCORE_REQUIRE_EXTENSIONS="1")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return made.folder


@pytest.fixture
def built(built_once: Path, tmp_path: Path) -> Checkout:
    """A compiled checkout to change at will."""
    copy = Checkout.__new__(Checkout)
    copy.folder = Path(shutil.copytree(built_once, tmp_path / "checkout"))
    copy.ext = copy.folder / "fastcore" / "_ext"
    return copy


@pytest.fixture
def fresh_python(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run code in a new interpreter, in a separate folder, with `changes` to the environment."""

    def run(code: str, **changes: str) -> subprocess.CompletedProcess[str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("FASTCORE_")}
        return subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env={**kept, **changes},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
