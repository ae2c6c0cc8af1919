"""Runs asv: its configuration, with other folders where that is wanted, its machine file, and its commands."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

from asv.config import Config
from asv.util import load_json, write_json

__all__ = ["CONFIG", "ROOT", "SCRATCH", "Commit", "Driver", "commits", "git", "log", "resolved", "selected"]

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CONFIG = HERE / "asv.conf.json"
SCRATCH = ROOT / ".asv"
FOLDERS = ("repo", "benchmark_dir", "env_dir", "results_dir", "html_dir")
# What git tells its hooks of the repository it was called in would lead asv's own calls of git there.
REPOSITORY = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def resolved(name: str) -> str:
    """The commit that `name` stands for."""
    try:
        return git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    except subprocess.CalledProcessError:
        raise SystemExit(f"asv: expected the name of a commit, got {name!r}") from None


def commits(count: int) -> list[str]:
    """The last `count` commits, the newest first."""
    return git("rev-list", "--first-parent", f"--max-count={count}", "HEAD").split()


class Commit(NamedTuple):
    """What git says of a commit."""

    commit: str
    date: str
    subject: str
    body: str
    files: str  # what it changed, as `git show --stat` writes it


def log(wanted: Collection[str]) -> dict[str, Commit]:
    """The commits of `wanted` that HEAD has behind it, the oldest first."""
    behind = git("rev-list", "--first-parent", "--reverse", "HEAD").split()
    found = {}
    for commit in (commit for commit in behind if commit in wanted):
        told = git("show", "--no-patch", "--format=%cs%x00%s%x00%b", commit).split("\0")
        files = [line.strip() for line in git("show", "--format=", "--stat=100", commit).splitlines()]
        found[commit] = Commit(commit, *told, "\n".join(files))
    return found


class Driver:
    """asv with one machine name, and its results in one folder.

    Parameters
    ----------
    results : Path, optional
        By default the folder that the configuration names. With one, a configuration is written next to it.
    machine : str
        The name under which results are filed.
    """

    def __init__(self, results: Path | None = None, machine: str = "this-machine") -> None:
        self.machine = machine
        self.config = CONFIG if results is None else self._configured(results)
        words = [word for word in os.environ if word.startswith("FASTCORE_")]
        self._environment = {k: v for k, v in os.environ.items() if k not in (*words, *REPOSITORY)}

    def _configured(self, results: Path) -> Path:
        told: dict[str, Any] = load_json(str(CONFIG), Config.api_version, js_comments=True)
        told.update({name: str((HERE / told[name]).resolve()) for name in FOLDERS}, results_dir=str(results), version=1)
        told["build_command"] = [line.replace("{conf_dir}", str(HERE)) for line in told["build_command"]]
        results.mkdir(parents=True, exist_ok=True)
        path = results.with_suffix(".conf.json")
        write_json(str(path), told)
        return path

    def conf(self) -> Config:
        """The configuration as asv reads it, with whole paths."""
        conf = Config.load(str(self.config))
        for name in FOLDERS:
            setattr(conf, name, str((self.config.parent / getattr(conf, name)).resolve()))
        return conf

    def register(self) -> None:
        """Tell asv what this machine is called."""
        known = ("--os", platform.system(), "--arch", platform.machine(), "--num_cpu", str(os.cpu_count()))
        self.run("machine", "--yes", "--machine", self.machine, *known, quiet=True)

    def measure(self, command: str, *arguments: str, bench: str = "", **attributes: float) -> int:
        """Run benchmarks whose name matches `bench`, with `attributes` instead of what the suites say."""
        # A benchmark is a fork of one process that has imported the suites: a tenth of the time of a new interpreter.
        launch = "forkserver" if hasattr(os, "fork") else "spawn"
        options = ["--machine", self.machine, "--show-stderr", "--launch-method", launch]
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        if version not in self.conf().pythons:
            options += ["--environment", f"virtualenv:{version}"]
        for name, value in attributes.items():
            options += ["--attribute", f"{name}={value}"]
        if bench:
            options += ["--bench", bench]
        return self.run(command, *options, *arguments)

    def run(self, command: str, *arguments: str, quiet: bool = False) -> int:
        asv = shutil.which("asv", path=str(Path(sys.executable).parent)) or "asv"
        told = [asv, command, "--config", str(self.config), *arguments]
        output = subprocess.DEVNULL if quiet else None
        return subprocess.run(told, cwd=ROOT, env=self._environment, stdout=output, check=False).returncode


def selected(bench: str, *, counted: bool) -> str:
    """A regular expression for what matches `bench` and is counted in instructions, or is not."""
    try:
        re.compile(bench)
    except re.error as error:
        raise SystemExit(f"BENCH: expected a regular expression, got {bench!r}: {error}") from None
    return f"^(?{'=' if counted else '!'}bench_instructions\\.)(?=.*(?:{bench}))"
