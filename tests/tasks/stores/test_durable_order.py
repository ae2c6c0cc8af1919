"""What reaches the disk, and in which order: the writes, syncs and renames of a real process.

`order.c` is preloaded, so SQLite's own system calls are seen as well as Python's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import pytest

from tests.tasks.executors.process_queue import ROOT

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None, reason="needs Linux's /proc and a C compiler"
)

HEAD = """
import os, sys, threading
folder = os.environ["ORDER_FOLDER"]

def mark(word):
    fd = os.open(os.environ["ORDER_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, f"mark {word}\\n".encode())
    os.close(fd)
"""

STORE = """
from fastcore.tasks.stores.sqlite.store import SqliteStore
from tests.tasks.stores.sqlite_specs import T0, claimed, ended, spec
store = SqliteStore(folder + "/t.db", durability=sys.argv[1]).open()
store.submit([spec()]).result(60)
"""

Order = Callable[..., dict[str, list[str]]]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("order") / "order.so"
    source = Path(__file__).with_name("order.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(made), str(source), "-ldl"], check=True)
    return made


@pytest.fixture
def order(library: Path, tmp_path: Path) -> Order:
    """Run a program, and return what happened after each of its marks; the same thing again and again counts once."""

    def run(body: str, *words: str) -> dict[str, list[str]]:
        folder, log = tmp_path / "folder", tmp_path / "log"
        folder.mkdir()
        (tmp_path / "program.py").write_text(HEAD + textwrap.dedent(body))
        env = {
            **os.environ,
            "LD_PRELOAD": str(library),
            "ORDER_FOLDER": str(folder),
            "ORDER_LOG": str(log),
            "PYTHONPATH": str(ROOT),
        }
        subprocess.run([sys.executable, str(tmp_path / "program.py"), *words], env=env, check=True, timeout=100)
        found: dict[str, list[str]] = {"": []}
        for line, _ in groupby(log.read_text().splitlines()):
            if line.startswith("mark "):
                now = found[line[5:]] = []
                found[""] = now
            else:
                found[""].append(line)
        return found

    return run


SYNCED, WRITTEN = ["write /t.db-wal", "sync /t.db-wal"], ["write /t.db-wal"]


@pytest.mark.parametrize(
    ("durability", "submit", "claim", "end", "again"),
    [
        ("full", SYNCED, WRITTEN, SYNCED, SYNCED),
        ("ends-soft", SYNCED, WRITTEN, WRITTEN, SYNCED),
        ("normal", WRITTEN, WRITTEN, WRITTEN, WRITTEN),
    ],
)
def test_a_reply_comes_after_the_sync_that_its_durability_promises(
    order: Order, durability: str, submit: list[str], claim: list[str], end: list[str], again: list[str]
) -> None:
    found = order(
        STORE
        + """
mark("submit"); store.submit([spec()]).result(60)
mark("each"); store.submit_each([spec(), spec()]).result(60)
mark("claim"); claims = claimed(store)
mark("renew"); store.renew(claims, 15.0, T0 + 1).result(60)
mark("end"); store.settle([ended(claims[0])]).result(60)
mark("ends"); store.settle([ended(one) for one in claims[1:]]).result(60)
mark("again"); store.submit([spec()]).result(60)
mark("cancel"); store.request_cancel(store.submit([spec()]).result(60)[0]).result(60)
mark("close"); store.close()
""",
        durability,
    )
    assert found["submit"] == found["each"] == submit
    assert found["claim"] == found["renew"] == claim
    assert found["end"] == found["ends"] == end
    assert found["again"] == again
    assert found["cancel"] == again * (1 if again == WRITTEN else 2)
    assert found["close"] == ["sync /t.db-wal", "write /t.db", "sync /t.db"]  # the log is put back once it is safe


@pytest.mark.parametrize("first", ["claim", "submit"])
@pytest.mark.parametrize("durability", ["full", "ends-soft"])
def test_a_durable_request_and_a_soft_one_in_one_batch_are_durable(order: Order, durability: str, first: str) -> None:
    found = order(
        STORE
        + f"""
from fastcore.tasks.ports import Want
hold = threading.Event()
asks = [
    lambda: store.claim("me", [Want(1, {{"noop": 1}})], 15.0, T0),
    lambda: store.submit([spec()]),
]
held = store._writer.ask(lambda change, asked: [hold.wait(60)], None, soft=True)
replies = [ask() for ask in (asks if {first!r} == "claim" else asks[::-1])]
mark("batch")
hold.set()
for reply in (held, *replies): reply.result(60)
mark("after"); store.claim("me", [Want(1, {{"noop": 1}})], 15.0, T0).result(60)
store.close()
""",
        durability,
    )
    assert found["batch"] == SYNCED
    assert found["after"][:1] == WRITTEN
    assert found["after"][1] != "write /t.db-wal"


WHOLE = {
    "the snapshot of a cache": (
        "from fastcore.cache import LRUCache, save\ncache = LRUCache(10)\ncache[1] = 2",
        'save(cache, folder + "/snapshot")',
        "/snapshot",
    ),
    "the flags in force": (
        "from fastcore.dispatch.shared_state import SharedState\nstate = SharedState(folder + '/state')",
        "state.update(declared=['one'])",
        "/state",
    ),
    "a journal that is rewritten": (
        "from fastcore.dispatch import journal\nkept = journal.Journal(folder + '/journal')\njournal.LIMIT = 1",
        "kept._rewrite()",
        "/journal",
    ),
}


@pytest.mark.parametrize(("make", "write", "path"), WHOLE.values(), ids=WHOLE)
def test_a_replaced_file_is_synced_before_and_its_folder_after(order: Order, make: str, write: str, path: str) -> None:
    found = order(f"{make}\nopen(folder + '/journal', 'a').close()\nmark('write')\n{write}\n")["write"]
    renamed = found.index(f"rename {path}")
    fresh = [line.split()[1] for line in found[:renamed] if line.startswith("sync ")]
    assert len(fresh) == 1, found
    assert fresh[0] != path  # never the file that readers see
    assert not [line for line in found[found.index(f"sync {fresh[0]}") + 1 : renamed] if line.startswith("write ")]
    assert found[renamed + 1 :] == ["sync "], "the folder is synced last"
