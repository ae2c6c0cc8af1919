"""The controller of a flag's experiment: it gathers what the Switches see, and advances, promotes or rolls back."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fastcore import metrics
from fastcore.dispatch import process
from fastcore.dispatch.breaker import Breaker
from fastcore.dispatch.experiment import Decision, Pair, Trial
from fastcore.dispatch.guard import Guard
from fastcore.dispatch.modes import Mode
from fastcore.dispatch.store import HOT_PATHS

if TYPE_CHECKING:
    from fastcore.dispatch.switch import Switch

__all__ = ["Controller", "PairStats", "Plan", "find", "of"]

Plan = tuple[str, int, int, int]  # word, threshold, samples of the control's and the candidate's calls; see _set_mode

ALL = 2**32
CONTROL: Plan = ("control", 0, 0, 0)

_log = logging.getLogger("fastcore.guard")
_controllers: dict[str, Controller] = {}
_making = threading.Lock()


class PairStats:
    """The compared calls of one Switch since it was made."""

    def __init__(self) -> None:
        self.pairs = self.mismatches = self.failures = self.unknown = self.dropped = self.rescued = 0
        self.uncounted = 0  # failures of the candidate that its arm has not counted as errors
        self.control = metrics.Sketch()
        self.candidate = metrics.Sketch()
        self.notes: deque[str] = deque(maxlen=5)

    def add(self, pair: Pair) -> None:
        self.pairs += 1
        self.mismatches += pair.answer == "differs"
        self.failures += pair.answer == "failed"
        self.unknown += pair.answer == "unknown"
        if pair.note:
            self.notes.append(pair.note)
        if pair.control == pair.control and pair.candidate == pair.candidate:
            self.control.observe(pair.control)
            self.candidate.observe(pair.candidate)


class Controller:
    """The state of one flag's experiment in this process.

    A lock guards the evidence; decisions are applied after it is released, because the flags hold their own lock when
    they report a change.
    """

    def __init__(self, flag: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.flag = flag
        self.guard: Guard | None = None  # as given; a canary or a shadow without one goes by the defaults
        self.limits = Guard()
        self.trial: Trial | None = None
        self.breaker = Breaker(self.limits.failures, self.limits.backoff, self.limits.backoff_cap)
        self.decision: Decision | None = None  # the last one
        self.in_flight: set[Any] = set()  # candidates of async pairs that continue after their caller has ended
        self._clock = clock
        self._lock = threading.Lock()
        self._mode: Mode | None = None
        self._held = False  # rolled back for errors by this process: the breaker's probes may end the rollback
        self._seen = (0, 0)  # calls of the candidate that went well, and those of them in pairs, at the last failure
        self._paired_well = 0

    def use(self, guard: Guard) -> None:
        """Use `guard` from now on; a running trial starts over."""
        if not isinstance(guard, Guard):
            raise TypeError(f"guard: expected a Guard, got {type(guard).__name__}")
        with self._lock:
            self.guard = self.limits = guard
            self.breaker = Breaker(guard.failures, guard.backoff, guard.backoff_cap)
            self.trial = self._mode = None

    # ---- what the flag means to a Switch ----

    def guards(self, mode: Mode) -> bool:
        """Whether the candidate is watched while it serves in `mode`."""
        return mode.word in ("shadow", "canary") or self.guard is not None or mode.promoted

    def plan(self, mode: Mode) -> Plan | None:
        """Return how the Switches of the flag are to run in `mode`; None where nothing is watched."""
        guard = self.limits
        if self.breaker.wants_probe:
            return "watched", 0, ALL, 0
        if self.breaker.state != "closed":
            return CONTROL
        if mode.word in ("control", "python") or not self.guards(mode):
            return None
        if mode.word == "shadow":
            return "watched", 0, _share(mode.percent), 0
        if mode.word == "canary":
            if guard.dry_run or not mode.percent:
                return "watched", 0, _share(guard.sample), 0
            return "watched", mode.threshold, _share(guard.sample), _share(guard.verified)
        if mode.word == "ramp":
            return "watched", mode.threshold, _share(guard.live), _share(guard.verified)
        return "watched", ALL, 0, _share(guard.watched)

    def enter(self, mode: Mode) -> None:
        """Apply the flag's mode; called by every Switch of the flag, under the lock of the flags."""
        with self._lock:
            before, self._mode = self._mode, mode
            if mode is before:
                return
            trial, now = self.trial, self._clock()
            if mode.word in ("control", "python"):
                self.trial = None
                if process.store.get(self.flag).source != "guard":  # a person's rollback ends the probes of a guard's
                    self._held = False
                if not self._held:
                    self.breaker.close()
                return
            self._held = False
            self.breaker.close()
            self._seen = self._calls()
            if mode.word == "shadow":
                self.trial = Trial(self.limits, "shadow", now)
            elif mode.word == "canary":
                going_on = trial is not None and trial.kind == "canary" and not trial.ended and before is not None
                if going_on and trial is not None and before is not None and before.word == "canary" and mode.percent:
                    if trial.percent != mode.percent and not self.limits.dry_run:  # another process has gone ahead
                        trial.jump(mode.percent, now)
                else:
                    self.trial = Trial(self.limits, "canary", now, mode.percent)
            else:
                self.trial = Trial(self.limits, "live", now, 100.0) if self.guards(mode) else None

    # ---- what the Switches see ----

    def may_pair(self) -> bool:
        """Whether a call of the control also runs the candidate: while the breaker is half-open, one call does."""
        if self.breaker.state == "closed":
            return True
        with self._lock:
            taken = self.breaker.take_probe()
        if taken:
            process.store.reapply(self.flag)
        return taken

    def saw(self, switch: Switch[..., Any], pair: Pair, openings: int = -1) -> None:
        """Record a call that ran both arms and began after so many openings of the breaker. Never raises."""
        try:
            now = self._clock()
            with self._lock:
                switch._stats.add(pair)
                if self.breaker.state != "closed":
                    if openings == self.breaker.openings:
                        self._probed(pair, now)
                    trial = decision = None
                else:
                    trial = self.trial
                    self._paired_well += pair.candidate == pair.candidate  # NaN where it raised
                    decision = None if trial is None else trial.pair(pair, now)
            self._act(trial, decision, now)
        except Exception:
            _log.exception("flag %s: a compared call could not be recorded", self.flag)

    def failed(self, switch: Switch[..., Any], note: str) -> None:
        """Record a failure of the candidate for which the control answered. Never raises."""
        try:
            now = self._clock()
            calls = self._calls()
            with self._lock:
                switch._stats.rescued += 1
                switch._stats.notes.append(note)
                well = max(0, calls[0] - self._seen[0])
                alone = max(0, well - (self._paired_well - self._seen[1]))
                self._seen = calls[0], self._paired_well
                opened = self.breaker.failed(now, well)
                trial = self.trial
                decision = None if trial is None else trial.failed(note, alone, now)
            if opened and (decision is None or decision.what != "rollback"):
                self._opened(note)
            self._act(trial, decision, now)
        except Exception:
            _log.exception("flag %s: a failure could not be recorded", self.flag)

    def dropped(self, switch: Switch[..., Any]) -> None:
        switch._stats.dropped += 1

    def tick(self) -> None:
        """Half-open the breaker when it is time; the ticker's job."""
        with self._lock:
            due = self.breaker.tick(self._clock())
        if due:
            process.store.reapply(self.flag)

    def evidence(self) -> dict[str, Any]:
        """Return the current evidence, or that of the last trial, with the breaker's state."""
        with self._lock:
            found = {} if self.decision is None else self.decision.evidence
            if self.trial is not None:
                found = self.trial.evidence()
            decided = self.decision
            told = {"decision": "", "decided": "", "cause": ""}
            if decided is not None:
                told = {
                    "decision": f"{decided.what}: {decided.why}",
                    "decided": decided.what,
                    "cause": decided.cause,
                }
            return {**found, "breaker": self.breaker.state, **told}

    def progress(self) -> dict[str, Any] | None:
        """Return the step of a running canary, all steps, and what the step waits for; None without one."""
        with self._lock:
            trial = self.trial
            if trial is None or trial.kind != "canary" or trial.ended:
                return None
            waits = trial.waits(self._clock())
            return {
                "percent": trial.percent,
                "steps": [0.0, *self.limits.steps],
                "paused": trial.paused,
                "waits": [wait._asdict() for wait in waits],
            }

    def _calls(self) -> tuple[int, int]:
        """The candidate's calls that went well, of all Switches on the flag; and those of them in pairs."""
        well = 0
        follower: Any
        for follower in process.store.followers(self.flag):
            if hasattr(follower, "_calls"):
                calls, errors = follower._calls()[1]
                well += calls - errors - follower._stats.uncounted
        return well, self._paired_well

    # ---- what it leads to ----

    def _act(self, trial: Trial | None, decision: Decision | None, now: float) -> None:
        if decision is None or trial is None or trial is not self.trial:
            return
        self.decision = decision
        store = process.store
        if self.limits.dry_run or decision.what == "pause":
            what = decision.what if decision.what == "pause" else f"would {decision.what}"
            mode = {"mode": store.get(self.flag).mode}
            evidence = _because(decision)
            store.journal.write("guard", what, self.flag, decision.why, old=mode, new=mode, evidence=evidence)
        elif decision.what == "rollback":
            if decision.cause == "failures":
                with self._lock:
                    self._held = True
                    self.breaker.open(now)
                self._check_clock()
            store.rollback(
                self.flag, f"rolled back: {decision.why}", source="guard", who="guard", evidence=_because(decision)
            )
            metrics.counter("fastcore_rollbacks_total", flag=self.flag).add()
            _log.error("flag %s rolled back: %s", self.flag, decision.why)
        elif decision.what == "promote":
            word = "compiled" if self.flag in HOT_PATHS else "candidate"
            store.advance(
                self.flag, Mode(word, 0.0, True), f"promoted: {decision.why}", "promote", _because(decision)
            )  # fmt: skip
        else:
            why = f"canary at {decision.percent:g} %: {decision.why}"
            store.advance(self.flag, Mode("canary", decision.percent), why, "advance", _because(decision))

    def _opened(self, note: str) -> None:
        self._journal("breaker", f"open after {self.limits.failures} failures in a row: {note}")
        self._check_clock()
        process.store.reapply(self.flag)

    def _probed(self, pair: Pair, now: float) -> None:
        """Record the probe's outcome; the lock is held."""
        if self.breaker.state != "half-open":
            return
        passed = pair.answer == "same"
        self.breaker.probed(passed, now)
        done = passed and (not self._held or 0 < self.limits.recover <= self.breaker.passed)
        if done:
            self.breaker.close()
        # Journals and flags have locks of their own: they are told by the ticker, which holds none.
        process.ticker.once(lambda: self._after_probe(passed, done, pair.note))

    def _after_probe(self, passed: bool, done: bool, note: str) -> None:
        self._journal("probe", "passed" if passed else f"failed: {note}")
        if done and self._held:
            self._held = False
            process.store.resume(self.flag, who="guard", why=f"{self.limits.recover} probes in a row have passed")
            return
        if done:
            self._journal("breaker", "closed: a probe has passed")
        process.store.reapply(self.flag)

    def _journal(self, what: str, why: str) -> None:
        mode = {"mode": process.store.get(self.flag).mode}
        process.store.journal.write("breaker", what, self.flag, why, old=mode, new=mode)

    def _check_clock(self) -> None:
        process.ticker.add(self.tick)
        process.ticker.start()


def of(flag: str) -> Controller:
    """Return the controller of a flag, made at first use."""
    found = _controllers.get(flag)
    if found is None:
        with _making:
            found = _controllers.setdefault(flag, Controller(flag))
    return found


def find(flag: str) -> Controller | None:
    """Return the controller of a flag if it has one."""
    return _controllers.get(flag)


def _because(decision: Decision) -> dict[str, Any]:
    """The journal entry of a decision, with its cause as a word for programs."""
    return {"cause": decision.cause, **decision.evidence}


def _share(percent: float) -> int:
    return min(ALL, round(percent / 100 * ALL))


def _after_fork() -> None:
    global _making
    _making = threading.Lock()
    for controller in _controllers.values():
        controller._lock = threading.Lock()
        controller.in_flight = set()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
