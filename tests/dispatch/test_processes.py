"""Flags across forks, spawned processes and restarts."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.dispatch.stores import store

APP = """
import os, sys, threading, time
import fastcore
from fastcore import flags, Switch
switch = Switch("desk", lambda: "control", lambda: "candidate")
def threads():
    return [t.name for t in threading.enumerate() if t.name.startswith("fastcore")]
"""


def run(code: str, **environ: str) -> str:
    made = subprocess.run(
        [sys.executable, "-c", APP + textwrap.dedent(code)],
        env={**os.environ, **environ}, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def test_no_thread_before_the_first_call_and_none_without_something_to_follow(tmp_path: Path) -> None:
    code = """
        flags.get("desk"); flags.set("desk", "control"); flags.rollback("desk", "why"); flags.resume("desk")
        before = threads()
        switch()
        print(before, threads())
    """
    assert run(code, FASTCORE_FLAGS_FILE=str(tmp_path / "flags.toml")) == "[] ['fastcore-flags']"
    assert run(code) == "[] []"
    for_key = """
        switch.call_for("key")
        print(threads())
    """
    assert run(for_key, FASTCORE_JOURNAL=str(tmp_path / "journal")) == "['fastcore-flags']"
    an_object = """
        from fastcore.cache import LRUCache
        LRUCache(3)
        print(threads())
    """
    assert run(an_object, FASTCORE_JOURNAL=str(tmp_path / "journal")) == "['fastcore-flags']"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("calls_before", [False, True])
def test_children_of_a_preloaded_process_follow(tmp_path: Path, calls_before: bool) -> None:
    file = tmp_path / "flags.toml"
    code = f"""
        import warnings
        warnings.simplefilter("ignore")
        if {calls_before}:
            switch()
        children, seen = [], {str(tmp_path / "seen")!r}
        for n in range(2):
            pid = os.fork()
            if pid == 0:
                end = time.monotonic() + 60
                while switch() != "candidate" and time.monotonic() < end:
                    time.sleep(0.01)
                open(f"{{seen}}{{n}}", "w").close()
                while n == 0 and not os.path.exists(seen + "1") and time.monotonic() < end:
                    time.sleep(0.01)  # or the other would be back on control before it ever met the candidate
                if n == 0:
                    flags.rollback("desk", "by a child")
                while switch() != "control" and time.monotonic() < end:
                    time.sleep(0.01)
                os._exit(0 if time.monotonic() < end and threads() == ["fastcore-flags"] else 1)
            children.append(pid)
        with open({str(file)!r} + ".new", "w") as new:
            new.write('desk = "candidate"')
        os.replace({str(file)!r} + ".new", {str(file)!r})
        print([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children])
        print(flags.get("desk").reason if not {calls_before} else "by a child")
    """
    assert run(code, FASTCORE_FLAGS_FILE=str(file)) == "[0, 0]\nby a child"


def _roll_back(path: str) -> None:
    store(path).rollback("desk", "from a spawned process")


def test_a_spawned_process_rolls_back(path: str) -> None:
    ours = store(path)
    child = multiprocessing.get_context("spawn").Process(target=_roll_back, args=(path,))
    child.start()
    child.join(100)
    assert child.exitcode == 0
    ours.follow_journal()
    assert ours.get("desk").reason == "from a spawned process"


def test_a_restart_does_not_enable_a_rolled_back_candidate(tmp_path: Path) -> None:
    file = tmp_path / "flags.toml"
    file.write_text('desk = "candidate"')
    code = """
        print(switch(), flags.get("desk").source)
        flags.rollback("desk", "why")
    """
    assert run(code, FASTCORE_FLAGS_FILE=str(file)) == "candidate file"
    assert run(code, FASTCORE_FLAGS_FILE=str(file)) == "control rollback"


def test_the_command_line(tmp_path: Path) -> None:
    environ = {**os.environ, "FASTCORE_JOURNAL": str(tmp_path / "journal.jsonl")}

    def command(*words: str, code: int = 0) -> str:
        made = subprocess.run(
            [sys.executable, "-m", "fastcore", "flags", *words], env=environ, capture_output=True, text=True
        )
        assert made.returncode == code, made.stderr
        return made.stdout + made.stderr

    assert "indicators" in command()
    refused = command("set", "desk", "ramp:10", code=1)
    assert "expected a flag that a process has declared, got 'desk'" in refused
    assert "did you mean indicators?" in command("set", "indicator", "python", code=1)
    assert "ramp:10" in command("set", "desk", "ramp:10", "--reason", "carefully", "--declare")
    assert "control" in command("rollback", "desk", "--reason", "wrong")
    body = json.loads(command("list", "desk", "--json"))
    assert (body["desk"]["mode"], body["desk"]["reason"]) == ("control", "wrong")
    said = "desk: ramp:10 does not act while the flag is rolled back (wrong); resume it first"
    assert said in command("set", "desk", "ramp:10")
    assert "ramp:10" in command("resume", "desk")
    command("clear", "desk")
    words = [entry["what"] for entry in json.loads(command("journal", "desk", "--json"))]
    assert words == ["set", "rollback", "set", "resume", "clear"]
    assert "carefully" in command("journal")
    assert "expected one of control" in command("set", "desk", "sideways", code=2)
    assert "expected the flag to set" in command("set", code=2)
    del environ["FASTCORE_JOURNAL"]
    assert "FASTCORE_JOURNAL or FASTCORE_FLAGS_FILE" in command("set", "desk", "control", code=2)
