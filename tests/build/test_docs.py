"""What the documentation shows runs as it stands: docstring examples, and the Python of the README and the docs."""

from __future__ import annotations

import configparser
import functools
import importlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest

from tests.conftest import PURE_ONLY

pytestmark = pytest.mark.backend_independent

ROOT = Path(__file__).resolve().parents[2]

MODULES = sorted(
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    for path in (ROOT / "fastcore").rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)
PAGES = ["README.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
NOT_RUN = 3  # blocks that need what no test has; each says what, in a comment above it

# A package at a time: a process for each module would take most of its time to begin.
GROUPS = {"fastcore": ["fastcore"]}
for module in MODULES:
    top = ".".join(module.split(".")[:2])
    GROUPS.setdefault(top, [top]).append(module)


@pytest.mark.parametrize("group", GROUPS)
def test_docstring_examples(backend: str, group: str) -> None:
    if group == "fastcore.service":
        pytest.importorskip("fastapi")
    program = Path(__file__).with_name("examples.py")
    ran = subprocess.run(
        [sys.executable, str(program), *GROUPS[group]],
        env={**os.environ, "FASTCORE_BACKEND": backend},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def blocks(page: str, *languages: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return [code for language, code in FENCE.findall(text) if language in languages]


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python", "pycon")])
def test_the_blocks_of_a_page_run(tmp_path: Path, page: str) -> None:
    if PURE_ONLY:
        pytest.skip("the pages set flags to modes that need the compiled twins")
    program = Path(__file__).with_name("page.py")
    ran = subprocess.run(
        [sys.executable, str(program), str(ROOT / page)], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


SERVED = """
from starlette.testclient import TestClient
import service
with TestClient(service.app) as client:
    assert client.get({path!r}).status_code == 200
    assert client.get("/readyz").status_code == 200
"""


@pytest.mark.parametrize(("page", "path"), [("README.md", "/rsi/AAPL"), ("docs/tutorial.md", "/v2/analysis/S007")])
def test_the_blocks_of_a_page_are_a_module_that_a_server_imports(tmp_path: Path, page: str, path: str) -> None:
    if PURE_ONLY:
        pytest.skip("the pages set flags to modes that need the compiled twins")
    pytest.importorskip("httpx")
    (tmp_path / "service.py").write_text("\n".join(blocks(page, "python")), encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-c", SERVED.format(path=path)], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_few_blocks_are_marked_as_not_run() -> None:
    marks = [mark for page in PAGES for mark in re.findall(r"<!-- not run: .+ -->", (ROOT / page).read_text("utf-8"))]
    assert len(marks) <= NOT_RUN, marks


@pytest.mark.parametrize("page", PAGES)
def test_data_and_commands_of_a_page_are_valid(page: str) -> None:
    for code in blocks(page, "json"):
        json.loads(code)
    for code in blocks(page, "toml"):
        tomllib.loads(code)
    for code in blocks(page, "sh", "text", ""):
        for module in re.findall(r"python -m (fastcore[\w.]*)", code):
            assert importlib.util.find_spec(module) is not None, module
        for command in re.findall(r"python -m fastcore ([a-z-]+)", code):
            assert command in commands(), command
        for line in re.findall(r"^make (.+)", code, re.MULTILINE):
            makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
            for name in (word for word in line.split("#")[0].split() if "=" not in word):
                assert re.search(rf"^[\w -]*\b{re.escape(name)}\b[\w -]*:", makefile, re.MULTILINE), name


COMMAND = re.compile(
    r"^ *(?:ExecStart=\S*/)?(python -m fastcore (?:flags|tasks|status)|uvicorn|gunicorn) (.*)$",
    re.MULTILINE,
)


@functools.cache
def help_of(command: str) -> str:
    """What a command says about itself; nothing if there is no such command."""
    words = command.removeprefix("python -m ").split()
    ran = subprocess.run(
        [sys.executable, "-m", *words, "--help"], capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"}
    )
    return ran.stdout if ran.returncode == 0 else ""


@pytest.mark.parametrize("page", [page for page in PAGES if COMMAND.search((ROOT / page).read_text("utf-8"))])
def test_options_of_the_commands_of_a_page_exist(page: str) -> None:
    pytest.importorskip("uvicorn")
    text = (ROOT / page).read_text(encoding="utf-8").replace("\\\n", " ")
    for command, rest in COMMAND.findall(text):
        if command == "gunicorn":
            pytest.importorskip("gunicorn")
        action = re.search(r"(?<![\w./-])[a-z]+(?![\w.:/-])", rest) if "fastcore" in command else None
        told = help_of(command) + (help_of(f"{command} {action[0]}") if action else "")
        for option in re.findall(r"(?<![\w-])--[a-z-]+", rest.split("#")[0]):
            assert re.search(rf"{option}\b", told), f"{command} {option}"
        for name in re.findall(r"fastcore\.[\w.]+:\w+", rest):
            module, _, attribute = name.partition(":")
            assert hasattr(importlib.import_module(module), attribute), name


def test_the_unit_of_the_deployment_guide_is_one_of_systemd() -> None:
    (unit,) = blocks("docs/guides/deploy.md", "ini")
    parsed = configparser.ConfigParser(interpolation=None, strict=True)
    parsed.read_string(unit.replace("\\\n", ""))
    assert parsed.sections() == ["Unit", "Service", "Install"]
    verify = shutil.which("systemd-analyze")
    if verify is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "desk.service"
        path.write_text(unit.replace("/srv/desk/.venv/bin/uvicorn", sys.executable).replace("User=desk\n", ""))
        ran = subprocess.run([verify, "verify", "--man=no", str(path)], capture_output=True, text=True)
        assert [line for line in ran.stderr.splitlines() if "desk.service" in line and "nknown" in line] == []


def test_every_word_of_the_prose_is_english_or_in_the_list_of_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("spellchecker")
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import spelling

    found = spelling.words("A `mispelt` word, LRUCache, [here](mispelt.md), f(x), mispelt.")
    assert [word for _, word in found] == ["a", "word", "here", "x", "mispelt"]
    assert spelling.main() == 0, capsys.readouterr().out


SLUG = re.compile(r"[^\w\- ]")


def places(page: Path) -> set[str]:
    """The anchors that MyST and code forges make of a page's headings."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#{1,4} (.+)$", text, re.MULTILINE)
    return {SLUG.sub("", heading.strip().lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*PAGES, "CONTRIBUTING.md", "examples/market_desk/README.md"])
def test_links_to_pages_and_headings_lead_somewhere(page: str) -> None:
    path = ROOT / page
    text = re.sub(r"^```.*?^```|`[^`\n]+`", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        target, _, place = link.partition("#")
        if "://" not in link:
            there = (path.parent / target).resolve() if target else path
            assert there.exists(), link
            assert not place or place in places(there), link
    for link in re.findall(r"\{doc\}`(?:[^`<]*<)?([^`>]+)>?`", path.read_text(encoding="utf-8")):
        assert (path.parent / f"{link}.md").is_file(), link


@functools.cache
def commands() -> set[str]:
    ran = subprocess.run([sys.executable, "-m", "fastcore", "--help"], capture_output=True, text=True, check=True)
    return set(re.findall(r"[a-z-]+", ran.stdout))
