"""The reference: it has every public name of every package."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import re
from pathlib import Path
from types import ModuleType

import pytest

import fastcore
from fastcore.indicators import INDICATORS

pytestmark = pytest.mark.backend_independent

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "reference"
DIRECTIVE = re.compile(r"^\.\. public:: ([\w.]+)(?:\n   :group: (.+))?$", re.MULTILINE)


@pytest.fixture(scope="module")
def public_names() -> ModuleType:
    pytest.importorskip("sphinx")
    spec = importlib.util.spec_from_file_location("public_names", ROOT / "docs" / "public_names.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# What a user of a part calls; the other packages are what it is made of.
USED = (
    "fastcore", "fastcore.cache", "fastcore.cache.keys", "fastcore.concurrency", "fastcore.dispatch.flags",
    "fastcore.framing", "fastcore.heap", "fastcore.indicators", "fastcore.memory", "fastcore.metrics",
    "fastcore.monitor", "fastcore.rollout", "fastcore.service", "fastcore.service.dashboard",
    "fastcore.streaming", "fastcore.tasks", "fastcore.tasks.chunks", "fastcore.tasks.codec",
    "fastcore.tasks.executors", "fastcore.tasks.stores",
)  # fmt: skip


@pytest.mark.parametrize("package", USED)
def test_every_public_name_has_an_example(package: str) -> None:
    module = importlib.import_module(package)
    without = []
    for name in module.__all__:
        value = getattr(module, name)
        constant = isinstance(value, ModuleType) or not callable(value) or type(value) is type(tuple[int])
        foreign = str(getattr(value, "__module__", "")).startswith("msgpack")
        if not constant and not foreign and ">>> " not in (value.__doc__ or ""):
            without.append(name)
    assert without == []


def directives() -> list[tuple[str, str]]:
    return [found for page in sorted(PAGES.glob("*.md")) for found in DIRECTIVE.findall(page.read_text("utf-8"))]


def test_every_package_with_public_names_has_a_page() -> None:
    packages = {"fastcore", "fastcore.dispatch.flags", "fastcore.metrics", "fastcore.rollout", "fastcore.tasks.ports"}
    for found in pkgutil.walk_packages(fastcore.__path__, "fastcore."):
        private = any(word.startswith("_") for word in found.name.split("."))
        if found.ispkg and not private and hasattr(importlib.import_module(found.name), "__all__"):
            packages.add(found.name)
    assert packages <= {package for package, _ in directives()}


def test_the_pages_of_indicators_have_every_group_once() -> None:
    groups = [group for package, group in directives() if package == "fastcore.indicators"]
    assert sorted(groups) == sorted({"", *(row.group for row in INDICATORS.values())})


def test_every_page_is_in_the_table_of_contents() -> None:
    index = (PAGES / "index.md").read_text(encoding="utf-8").splitlines()
    assert {page.stem for page in PAGES.glob("*.md")} - {"index"} <= set(index)


def test_a_directive_names_a_package_whose_names_have_an_order(public_names: ModuleType) -> None:
    assert {package for package, _ in directives()} == set(public_names.PACKAGES)


def test_a_name_of_two_packages_is_documented_once(public_names: ModuleType) -> None:
    from fastcore import monitor, rollout

    assert public_names.documented("fastcore.monitor", "AlertManager", monitor.AlertManager)[0].startswith(
        ".. autoclass"
    )
    again = public_names.documented("fastcore.rollout", "AlertManager", rollout.AlertManager)
    assert again[2].strip() == "The same as :py:obj:`fastcore.monitor.AlertManager`."


def test_a_class_has_the_signature_of_its_init(public_names: ModuleType) -> None:
    signature, _ = public_names.of_init(None, "class", "", fastcore.Switch, {}, "(*args: Any, **kwargs: Any)", "")
    assert signature.startswith("(name: str, control: ")
    assert public_names.of_init(None, "class", "", fastcore.Guard, {}, "(slowdown: float = 0.2)", "") is None


def test_what_is_made_from_the_table_is_documented_as_a_function(public_names: ModuleType) -> None:
    from fastcore import indicators

    assert public_names.documented("fastcore.indicators", "rsi", indicators.rsi)[0].startswith(".. autofunction")
    assert public_names.first_sentence(indicators.rsi) == "Relative strength index."
