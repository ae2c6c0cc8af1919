"""The map of the code: its picture shows the imports as they are, and the files that it names exist."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "architecture.md"
TOOL = ROOT / "tools" / "draw_floors.py"
SUFFIXES = (".c", ".js", ".md", ".pxi", ".py", ".toml", ".yml")
FOLDERS = ("benchmarks", "docs", "fastcore", "python_fallback", "tests", "tools")

pytestmark = [
    pytest.mark.backend_independent,
    pytest.mark.skipif(not TOOL.is_file(), reason="no tools in an installed copy"),
]


def test_the_picture_of_the_floors_is_current() -> None:
    tool = runpy.run_path(str(TOOL))
    current = (ROOT / "docs" / "images" / "floors.svg").read_text(encoding="utf-8") == tool["drawing"]()
    assert current, "run: python tools/draw_floors.py"


def test_the_picture_shows_imports_of_every_kind(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[[tool.importlinter.contracts]]\ntype = "layers"\n'
        'layers = ["fastcore.a", "fastcore.b | fastcore.c", "fastcore.d", "python_fallback"]\n'
    )
    sources = {
        "fastcore/__init__.py": "if TYPE_CHECKING:\n    from fastcore.d import flags\n",
        "fastcore/a.py": "from fastcore import (\n    b,\n    flags,\n)\n",
        "fastcore/b.pyx": "def f():\n    from python_fallback.x cimport y\n",
        "fastcore/c.c": 'static fc_import error = {"python_fallback.x", "Error", NULL};\n',
        "fastcore/d.py": 'import fastcore.c as c\nlogging.getLogger("fastcore.a")\n',
        "python_fallback/__init__.py": "",
    }
    for name, code in sources.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(code)
    assert runpy.run_path(str(TOOL))["imports"](tmp_path) == {
        "fastcore.a": ["fastcore.b", "fastcore.d"],
        "fastcore.b": ["python_fallback"],
        "fastcore.c": ["python_fallback"],
        "fastcore.d": ["fastcore.c"],
        "python_fallback": [],
    }


@pytest.mark.parametrize("page", ["docs/architecture.md", "docs/decisions.md", "CONTRIBUTING.md"])
def test_every_file_that_the_page_names_exists(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    quoted = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    names = {word for quote in quoted for word in quote.split() if re.fullmatch(r"[\w./-]+", word)}
    paths = {name for name in names if "/" in name and ("." in name or name.endswith("/")) and "X" not in name}
    files = {name for name in names - {"X.c"} if "/" not in name and name.endswith(SUFFIXES)}
    built = {"_stamps.py"}  # in wheels only
    assert sorted(name for name in paths if not name.startswith(".venv/") and not (ROOT / name).exists()) == []
    known = {path.name for top in FOLDERS for path in (ROOT / top).rglob("*")} | {path.name for path in ROOT.iterdir()}
    assert sorted(files - built - known) == []
