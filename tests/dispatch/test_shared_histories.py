"""Processes that share a journal, at random: they agree in the end, and only a person ends a person's rollback."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from fastcore.dispatch import journal as journals
from fastcore.dispatch.modes import Mode
from fastcore.dispatch.store import FlagStore
from tests.dispatch.stores import store

FLAGS = ("desk", "other")


def moved(path: str) -> None:
    os.rename(path, f"{path}.1")


def truncated(path: str) -> None:
    os.truncate(path, 0)


class History:
    """Three processes, and what a person has asked for last of each flag."""

    def __init__(self, path: str, seed: int, rotate: Callable[[str], None] | None) -> None:
        self.path, self.rotate = path, rotate
        self.random = random.Random(seed)
        self.processes = [self.started() for _ in range(3)]
        self.person: dict[str, str] = {}

    def started(self) -> FlagStore:
        made = store(self.path)
        made.declare("other")
        return made

    def step(self, number: int) -> None:
        choice = self.random.choice
        at, flag = self.random.randrange(3), choice(FLAGS)
        process = self.processes[at]
        what = choice(
            ["set", "clear", "person", "guard", "resume", "probes", "advance", "restart", "rotate", *["follow"] * 4]
        )
        if what == "set":
            process.set(flag, choice(["candidate", "ramp:10", "canary"]), f"set {number}", everywhere=True)
        elif what == "clear":
            process.clear(flag, everywhere=True)
        elif what == "person":
            self.person[flag] = f"person {number}"
            process.rollback(flag, f"person {number}", who="ann")
        elif what == "guard":
            process.rollback(flag, f"rolled back: {number}", source="guard", who="guard")
        elif what == "resume" and process.get(flag).rolled_back:
            process.resume(flag)
            self.person.pop(flag, None)
        elif what == "probes":
            process.resume(flag, who="guard", why="probes have passed")
        elif what == "advance":
            process.advance(flag, Mode("canary", 5.0), "agreement", "advance", {})
        elif what == "restart":
            self.processes[at] = self.started()
        elif what == "rotate" and self.rotate is not None and os.path.exists(self.path):
            self.rotate(self.path)
        else:
            process.follow_journal()
        if what == "person":
            assert process.get(flag).rolled_back, "at once"

    def check(self) -> None:
        for process in self.processes * 2:
            process.follow_journal()
        for flag in FLAGS:
            views = set()
            for process in (*self.processes, self.started()):
                state = process._states[flag]
                asked = state.everywhere and str(state.everywhere.mode)
                views.add((state.rollback and state.rollback.reason, asked))
            assert len(views) == 1, f"{flag}: {views}"
            if flag in self.person:
                assert views.pop()[0] == self.person[flag]


@pytest.mark.parametrize("rotate", [None, moved, truncated, os.unlink])
@pytest.mark.parametrize("limit", [1000, 8 << 20])
def test_processes_that_share_a_journal_agree(
    tmp_path: Path, rotate: Callable[[str], None] | None, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setattr(journals, "LIMIT", limit)
    for seed in range(25):
        history = History(str(tmp_path / f"{seed}.jsonl"), seed, rotate)
        for number in range(40):
            history.step(number)
        history.check()
