"""Every test that takes the `backend` fixture runs on both twins; a missing compiled twin is an error by default."""

from __future__ import annotations

import gc
import importlib.machinery
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import hypothesis
import pytest

from fastcore import _env, _ext
from fastcore.dispatch import backends
from tests.elsewhere import systems

PURE_ONLY = _env.boolean("FASTCORE_NO_EXTENSIONS")
REQUIRED = _env.boolean("FASTCORE_REQUIRE_EXTENSIONS")

# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile(
    "untimed",
    hypothesis.settings.default,
    deadline=None,
    suppress_health_check=[*hypothesis.settings.default.suppress_health_check, hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("untimed")

# With --hypothesis-profile: a longer search, and a suite that has run on another Python.
LONG, REPEAT = 5000, 20  # examples of a test that does not say how many; the others in proportion
hypothesis.settings.register_profile("long", max_examples=LONG, deadline=None, derandomize=False)
hypothesis.settings.register_profile("repeat", hypothesis.settings.default, max_examples=REPEAT)

_passed: Counter[tuple[str, str]] = Counter()  # (folder below tests, backend) -> tests
_loaded: dict[str, str] = {}  # compiled modules, of this process and of its workers -> files


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--twins-report", default="", help="write how many tests passed on which twin to this JSON file")
    parser.addoption("--system", choices=systems.SYSTEMS, help="run under stand-ins for what another system lacks")
    parser.addoption("--twin", choices=("compiled", "python"), help="leave out what runs on the other twin")


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background jobs, and what they start
        signal.signal(signal.SIGINT, signal.default_int_handler)
    system = config.getoption("--system")
    if system and os.environ.get(systems.VARIABLE) != system:
        config.pluginmanager.getplugin("capturemanager").stop_global_capturing()
        arguments = [sys.executable, "-m", "pytest", *config.invocation_params.args]
        os.execve(sys.executable, arguments, systems.environment(system, dict(os.environ)))


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()  # thousands of collected tests, which each collection of garbage would look through


def pytest_report_header() -> list[str]:
    lines = []
    for name in _ext.EXTENSIONS:
        found = _ext.probe(name)
        lines.append(f"fastcore._ext.{name}: {'compiled' if found.module else 'python (' + found.cause + ')'}")
    return lines


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are named by their length: some are masked at random, and every worker process must agree on the names."""
    return f"{argname}{len(val)}" if isinstance(val, bytes) else None


def pytest_sessionstart(session: pytest.Session) -> None:
    if PURE_ONLY and REQUIRED:
        raise pytest.UsageError("FASTCORE_NO_EXTENSIONS and FASTCORE_REQUIRE_EXTENSIONS contradict each other")
    missing = [name for name in _ext.EXTENSIONS if _ext.probe(name).module is None]
    if REQUIRED and missing:
        raise pytest.UsageError(f"FASTCORE_REQUIRE_EXTENSIONS is set and these extensions may not run: {missing}")


def examples(profile: str, stated: int) -> int:
    """How many examples a test is to try; tests that state none have the profile's number."""
    if profile == "long":
        return stated * LONG // 100 if stated < LONG else stated
    return min(stated, max(stated * REPEAT // 100, REPEAT))


def change_examples(item: pytest.Item, profile: str) -> None:
    """Tests say how many examples they try, which no profile changes."""
    case = getattr(item, "cls", None)
    where, name = (case, "settings") if hasattr(case, "settings") else (None, "")
    if where is None:
        function = getattr(item, "obj", None)
        where, name = getattr(function, "__func__", function), "_hypothesis_internal_use_settings"
    before = getattr(where, name, None)
    if isinstance(before, hypothesis.settings):
        wanted = examples(profile, before.max_examples)
        if wanted != before.max_examples:
            setattr(where, name, hypothesis.settings(before, max_examples=wanted, deadline=None))


@pytest.hookimpl(tryfirst=True)  # before -m looks at the markers
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    tests = Path(__file__).parent
    # Under stand-ins for another system: the compiled twins are this one's, and the stand-ins do not reach them.
    twin = "python" if config.getoption("--system") else config.getoption("--twin")
    if twin:
        left_out = [item for item in items if _twin_of(item) not in (None, twin)]
        items[:] = [item for item in items if _twin_of(item) in (None, twin)]
        config.hook.pytest_deselected(items=left_out)
    profile = config.getoption("hypothesis_profile", None)
    if profile in ("long", "repeat"):
        for item in items:
            change_examples(item, profile)
    for item in items:
        twin = _twin_of(item)
        if twin is not None:
            item.add_marker("both_twins")
            item.user_properties.append(("path", item.path.relative_to(tests).parts[0]))
            item.user_properties.append(("twin", twin))


def _twin_of(item: pytest.Item) -> str | None:
    callspec = getattr(item, "callspec", None)
    return str(callspec.params["backend"]) if callspec is not None and "backend" in callspec.params else None


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    told = dict(report.user_properties)  # travels with the report where the test ran in a worker process
    if report.when == "call" and report.passed and "twin" in told:
        _passed[str(told["path"]), str(told["twin"])] += 1


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    _loaded.update(getattr(node, "workeroutput", {}).get("loaded", {}))


@pytest.hookimpl(trylast=True)  # with workers: after they have all ended
def pytest_sessionfinish(session: pytest.Session) -> None:
    _loaded.update({name: str(m.__file__) for name, m in list(sys.modules.items()) if _is_compiled(name, m)})
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["loaded"] = _loaded
        return
    if PURE_ONLY and _loaded:
        pytest.exit(f"the pure suite loaded compiled modules: {sorted(_loaded)}", returncode=1)
    target = session.config.getoption("--twins-report")
    if target:
        body = {"passed": {f"{path} {twin}": n for (path, twin), n in sorted(_passed.items())}, "loaded": _loaded}
        Path(target).write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for path in sorted({path for path, _ in _passed}):
        counts = ", ".join(f"{_passed[path, name]} {name}" for name in ("compiled", "python"))
        terminalreporter.write_line(f"twins tested: {path}: {counts}")


def _is_compiled(name: str, module: ModuleType) -> bool:
    file = str(getattr(module, "__file__", ""))
    return name.startswith("fastcore._ext.") and file.endswith(tuple(importlib.machinery.EXTENSION_SUFFIXES))


@pytest.fixture(params=["compiled", "python"])
def backend(request: pytest.FixtureRequest) -> str:
    """The twin under test."""
    name: str = request.param
    if name == "compiled" and PURE_ONLY:
        pytest.skip("the pure suite")
    return name


@pytest.fixture
def twin(backend: str) -> Callable[[str], ModuleType]:
    """``twin("cache")`` is the module that implements the hot path on the backend under test."""

    def load(path: str) -> ModuleType:
        return backends.twin(path, backend)

    return load
