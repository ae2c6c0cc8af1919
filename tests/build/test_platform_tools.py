"""The tools for wheels and ARM: what they refuse, what they skip, and what they count."""

from __future__ import annotations

import importlib
import shlex
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import examples

pytestmark = pytest.mark.backend_independent

ROOT = Path(__file__).resolve().parents[2]
LISTING = """
0000000000000000 <fc_roll_mean_neon>:
   0:	fadd	d0, d1, d2
   4:	fmul	v0.2d, v1.2d, v2.2d
   8:	fcmp	d0, d1
   c:	fsqrt	d0, d1

0000000000000010 <sma_run>:
  10:	fdiv	d0, d1, d2
"""


def tool(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    for other in ("arm", "cross", "pythons", "sanitize", "vector_share", "wheels"):
        monkeypatch.delitem(sys.modules, other, raising=False)
    return importlib.import_module(name)


def wheel(folder: Path, name: str, *files: str) -> Path:
    with zipfile.ZipFile(folder / name, "w") as archive:
        for file in files:
            archive.writestr(file, "")
    return folder / name


COMPILED = ("fastcore/_ext/heap.so", "python_fallback/heap.py")
PURE = ("fastcore/heap.py", "python_fallback/heap.py")


@pytest.mark.parametrize(
    ("name", "files", "compiled"),
    [
        ("f-1-cp311-cp311-linux_x86_64.whl", COMPILED, True),
        ("f-1-py3-none-any.whl", PURE, False),
    ],
)
def test_a_wheel_with_what_it_should_have_is_accepted(
    name: str, files: tuple[str, ...], compiled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool("wheels", monkeypatch).inspect(wheel(tmp_path, name, *files), compiled)


@pytest.mark.parametrize(
    ("name", "files", "compiled"),
    [
        ("f-1-cp311-cp311-linux_x86_64.whl", PURE, True),
        ("f-1-py3-none-any.whl", COMPILED, False),
        ("f-1-py3-none-any.whl", COMPILED, True),
        ("f-1-cp311-cp311-linux_x86_64.whl", (*COMPILED, "fastcore/_ext/src/heap/core.c"), True),
        ("f-1-cp311-cp311-linux_x86_64.whl", (*COMPILED, "tests/conftest.py"), True),
    ],
)
def test_a_wheel_with_sources_strange_folders_or_the_wrong_tag_is_refused(
    name: str, files: tuple[str, ...], compiled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit, match="wheels: f-1-"):
        tool("wheels", monkeypatch).inspect(wheel(tmp_path, name, *files), compiled)


def test_a_machine_without_the_emulator_skips_the_tests_on_arm_and_names_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arm = tool("arm", monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert arm.main([]) == 0
    assert "skipped: this machine lacks qemu-aarch64-static (Debian: apt-get install" in capsys.readouterr().out


def test_the_files_that_run_on_arm_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    arm = tool("arm", monkeypatch)
    assert [name for name in (*arm.ALL, *arm.SELECTED) if not (ROOT / name).exists()] == []
    assert {name.split("/")[1] for name in arm.SELECTED} == {name.split("/")[1] for name in arm.ALL}


def test_a_suite_that_is_repeated_on_another_python_has_no_servers_and_fewer_examples(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pythons = tool("pythons", monkeypatch)
    commands: list[list[str]] = []

    def run(command: list[str], **options: object) -> object:
        commands.append(command)
        return pythons.subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(pythons, "interpreter", lambda version: f"python{version}")
    monkeypatch.setattr(pythons.subprocess, "run", run)
    assert pythons.main(["--repeat", "--only=3.12,3.13", "tests/heap"]) == 0
    prepared, tested = commands[::2], commands[1::2]
    for version, preparing, testing in zip(("3.12", "3.13"), prepared, tested, strict=True):
        venv = f".venv-{version}"
        given = [f"VENV={venv}", f"PYTHON=python{version}", "TEST_EXTRA=test"]
        assert preparing[2:8] == ["-j2", f"{venv}/.installed-test", "build-required", *given]
        assert testing[2:6] == ["test", *given]
    _, asked = tested[0][6].split("=", 1)
    assert shlex.split(asked) == [
        "-m",
        "not backend_independent and not slow",
        "--hypothesis-profile=repeat",
        *(f"--ignore={path}" for path in pythons.LEFT_OUT),
        "tests/heap",
    ]
    assert [path for path in pythons.LEFT_OUT if not (ROOT / path).exists()] == []
    assert [examples("repeat", stated) for stated in (10, 60, 400)] == [10, 20, 80]
    assert [examples("long", stated) for stated in (60, 5000)] == [3000, 5000]


def test_scalar_and_vector_arithmetic_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    share = tool("vector_share", monkeypatch)
    listed = share.subprocess.CompletedProcess([], 0, LISTING, "")
    monkeypatch.setattr(share.cross, "run", lambda *command: listed)
    assert share.arithmetic(Path("kernels")) == {"fc_roll_mean_neon": {0: True, 4: False}, "sma_run": {16: True}}
    assert share.STREAMING.search("sma_run")
    assert not share.STREAMING.search("fc_roll_mean_neon")


def test_a_wheel_is_tried_by_tests_of_every_hot_path(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = tool("try_wheel", monkeypatch)
    assert [name for name in trial.TESTS if not (ROOT / name).exists()] == []
    assert {name.split("/")[1] for name in trial.TESTS} >= {"framing", "heap", "cache", "dispatch", "indicators"}
