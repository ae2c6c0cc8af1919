"""The journal that the workers of one server share by default."""

from __future__ import annotations

import multiprocessing
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from fastcore.dispatch import process
from fastcore.dispatch import server_journal as servers
from fastcore.dispatch.store import FlagStore


def test_workers_of_one_server_share_a_journal_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers.tempfile, "gettempdir", lambda: str(tmp_path))
    assert servers.server_journal() == ""
    monkeypatch.setattr(servers, "_spawned_by_server", lambda: True)
    found = servers.server_journal()
    folder = Path(found).parent
    assert folder.parent == tmp_path
    assert Path(found).name.startswith(f"{os.getppid()}-")
    left = folder / "999999999-1.journal.jsonl"
    reused = folder / f"{os.getppid()}-1.journal.jsonl.state"  # of an earlier process of the same number
    left.touch()
    reused.touch()
    kept = [Path(found), Path(f"{found}.state"), Path(f"{found}.1")]
    for each in kept:
        each.touch()
    assert servers.server_journal() == found
    assert not left.exists()  # of a server that has ended
    assert not reused.exists()
    assert all(each.exists() for each in kept)
    if os.name == "posix":
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        folder.chmod(0o777)
        assert servers.server_journal() == ""


def test_a_process_outside_a_server_has_no_server_journal() -> None:
    code = "from fastcore.dispatch import process\nprint(process.store.journal.path)"
    environ = {k: v for k, v in os.environ.items() if not k.startswith("FASTCORE_")}
    made = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert made.stdout.strip() == ""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        assert pool.apply(servers.server_journal) == ""


def test_a_store_without_a_journal_reaches_one_process_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from fastcore.dispatch import admin

    monkeypatch.setattr(process, "store", FlagStore(environ={}))
    assert admin.reach().startswith("this process only")
