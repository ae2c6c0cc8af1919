"""What the documentation shows runs as it stands: docstring examples, and the Python of the README and the docs."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import PURE_ONLY

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., "subprocess.CompletedProcess[str]"]

MODULES = sorted(
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    for path in (ROOT / "fastcore").rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)
RUNNABLE = {  # pages whose blocks are whole programs
    "README.md": 1,
    "docs/index.md": 1,
}

DOCTEST = """
import doctest, importlib, sys
module = importlib.import_module({name!r})
failed, tried = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
assert tried, 'no example was found'
sys.exit(failed > 0)
"""


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(fresh_python: Run, backend: str, name: str) -> None:
    ran = fresh_python(DOCTEST.format(name=name), FASTCORE_BACKEND=backend)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("page", sorted(RUNNABLE))
def test_the_programs_of_a_page_run(fresh_python: Run, backend: str, page: str) -> None:
    if PURE_ONLY:
        pytest.skip("the pages set flags to modes that need the compiled twins")
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= RUNNABLE[page]
    for block in blocks:
        ran = fresh_python(block, FASTCORE_BACKEND=backend)
        assert ran.returncode == 0, block + ran.stderr
