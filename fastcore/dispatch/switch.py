"""The Switch: one callable in front of two implementations, controlled by a flag."""

from __future__ import annotations

import functools
import importlib
import inspect
import logging
import math
import sys
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Generic, Literal, ParamSpec, TypeVar, overload

from fastcore import _ext, metrics
from fastcore.dispatch import controller, flags, process
from fastcore.dispatch.assignment import Key, assignment_key
from fastcore.dispatch.calls import called_with
from fastcore.dispatch.comparison import ArmReport, Comparison, Paired
from fastcore.dispatch.guard import Guard
from fastcore.dispatch.modes import Mode
from fastcore.dispatch.shadow import watched
from fastcore.dispatch.store import HOT_PATHS

__all__ = ["Switch", "live", "type_on"]

P = ParamSpec("P")
R = TypeVar("R")

EVERY = 64
SLOW = 50e-6  # seconds of a call that is always timed, which takes 0.1 us
_log = logging.getLogger("fastcore.dispatch")
_TWINS = ("fastcore._ext.switch", "python_fallback.switch")
_live: weakref.WeakValueDictionary[str, Switch[..., Any]] = weakref.WeakValueDictionary()


class Switch(Generic[P, R]):
    """A callable that hands each call to `control` or to `candidate`, as its flag says, and keeps count of both.

    Plain functions, async functions (the await is what is timed) and, as a class attribute, methods. The arms of a
    Switch are fixed for its life; a flag flipped in any thread holds from the next call on.

    Parameters
    ----------
    name : str
        Names the Switch in reports; a second one of the same name replaces it there.
    control : callable
        Today's implementation. Its name, docstring and signature become the Switch's.
    candidate : callable, optional
        The implementation to try. Without one the Switch only counts.
    flag : str, optional
        The flag to follow: a hot path, or any other name, which is declared. By default `name`.
    every : int, optional
        One call in so many, on average, is timed: by default 64, and every call of async functions and of those that
        take over 50 us.
    salt : str, optional
        What keys are hashed with while the flag ramps. By default the flag's name, so that all Switches on one flag
        agree on every key.
    guard : Guard, optional
        The limits of the candidate, watched while it serves; of all Switches on the flag, the last one given holds.
        Without one a candidate that is set by hand serves unwatched, and a canary goes by ``Guard()``.
    rtol, atol : float, optional
        How far answers may differ when both arms are compared: by ``atol + rtol * abs(control's)``; `rtol` is 1e-9 by
        default, `atol` 1e-11 times the largest number among the arrays given to the call.
    compare : callable, optional
        Called with the control's and the candidate's answer instead, returns whether they are the same.
    describe : callable or False, optional
        Called with the arguments of a call that differs or failed, returns the text that names the call in the journal,
        reports and alerts. By default the key and the arguments, shortened; False leaves both out.

    Comparing runs both arms on the same arguments: neither may modify its arguments or have side effects.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or only one of the arms is async.
    BackendUnavailable
        If the flag of a hot path asks for its compiled twin and there is no candidate.

    Examples
    --------
    >>> import fastcore
    >>> total = fastcore.Switch("docs.total", control=sum, candidate=lambda values: sum(values))
    >>> _ = fastcore.flags.set("docs.total", "candidate")
    >>> total([1, 2, 3])
    6
    >>> total.report().candidate.calls
    1
    """

    __slots__ = ()

    _name: str
    _flag: str
    _home: str
    _is_async: bool
    _rtol: float
    _atol: float | None
    _compare: Callable[[R, R], object] | None
    _describe: Callable[..., str] | Literal[False] | None
    _stats: controller.PairStats
    _rate_is_fixed: bool  # of timed calls
    # Of a function that takes `out`: puts the result into it and returns what such a call returns.
    _deliver: Callable[[Any, Any], Any] | None = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Switch[P, R]:
        chosen: Any = type_on(_ext.pick("switch"))
        made: Switch[P, R] = chosen.__new__(chosen)
        return made

    def __init__(
        self,
        name: str,
        control: Callable[P, R],
        candidate: Callable[P, R] | None = None,
        *,
        flag: str | None = None,
        every: int | None = None,
        salt: str | None = None,
        guard: Guard | None = None,
        rtol: float = 1e-9,
        atol: float | None = None,
        compare: Callable[[R, R], object] | None = None,
        describe: Callable[P, str] | Literal[False] | None = None,
    ) -> None:
        for label, number in (("rtol", rtol), ("atol", 0.0 if atol is None else atol)):
            if isinstance(number, bool) or not isinstance(number, (int, float)):
                raise TypeError(f"{label}: expected a number, got {type(number).__name__}")
            if not 0 <= number < math.inf:
                raise ValueError(f"{label}: expected a number >= 0, got {number!r}")
        if compare is not None and not callable(compare):
            raise TypeError(f"compare: expected a callable, got {type(compare).__name__}")
        if describe is not None and describe is not False and not callable(describe):
            raise TypeError(f"describe: expected a callable or False, got {type(describe).__name__}")
        for label, function in (("control", control), ("candidate", candidate)):
            if not callable(function) and not (label == "candidate" and function is None):
                raise TypeError(f"{label}: expected a callable, got {type(function).__name__}")
        is_async = inspect.iscoroutinefunction(control)
        if candidate is not None and inspect.iscoroutinefunction(candidate) != is_async:
            kind = "an async function, as control is" if is_async else "a plain function, as control is"
            raise TypeError(f"candidate: expected {kind}, got {candidate!r}")
        flag = name if flag is None else flag
        if flag not in HOT_PATHS:
            flags.declare(flag)
        salt = _checked_salt(flag if salt is None else salt)
        self._setup(control, candidate, is_async, _checked_every(every, is_async), salt, assignment_key)
        _look_like(self, control, is_async)
        vars(self).update(_name=_checked_name(name), _flag=flag, _home=_caller(), _is_async=is_async)
        vars(self).update(_rtol=rtol, _atol=atol, _compare=compare, _describe=describe)
        vars(self).update(_stats=controller.PairStats(), _rate_is_fixed=every is not None or is_async)
        if guard is not None:
            controller.of(flag).use(guard)
        process.store.follow(flag, self)
        if guard is not None:
            process.store.reapply(flag)
        if process.sync.waiting:
            self._tell_first()
        _live[name] = self

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if cls.__module__ not in _TWINS:
            raise TypeError("Switch cannot be subclassed: wrap one, or give it other arms")

    @classmethod
    def wrap(
        cls,
        name: str,
        candidate: Callable[P, R] | None = None,
        *,
        flag: str | None = None,
        every: int | None = None,
        salt: str | None = None,
        guard: Guard | None = None,
        rtol: float = 1e-9,
        atol: float | None = None,
        compare: Callable[[R, R], object] | None = None,
        describe: Callable[P, str] | Literal[False] | None = None,
    ) -> Callable[[Callable[P, R]], Switch[P, R]]:
        """Return a decorator that makes the decorated function the control of a Switch.

        Examples
        --------
        >>> @Switch.wrap("docs.double", candidate=lambda x: x + x)
        ... def double(x):
        ...     return 2 * x
        """

        def decorate(control: Callable[P, R]) -> Switch[P, R]:
            return Switch(
                name, control, candidate, flag=flag, every=every, salt=salt, guard=guard, rtol=rtol, atol=atol,
                compare=compare, describe=describe,
            )  # fmt: skip

        return decorate

    @property
    def name(self) -> str:
        """The name of the Switch."""
        return self._name

    @property
    def flag(self) -> str:
        """The name of its flag."""
        return self._flag

    @property
    def mode(self) -> str:
        """The mode of that flag now."""
        return flags.get(self._flag).mode

    @property
    def control(self) -> Callable[P, R]:
        """Today's implementation."""
        raise NotImplementedError  # both twins have their own

    @property
    def candidate(self) -> Callable[P, R] | None:
        """The implementation to try."""
        raise NotImplementedError

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the arm that the flag names; return its result or raise its exception."""
        raise NotImplementedError

    def call_for(self, key: Key | None, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the arm that `key` belongs to while the flag ramps; in a fixed mode the key makes no difference.

        Parameters
        ----------
        key : str, bytes, int or None
            None draws. A plain call takes the key of the context, see ``fastcore.assigned``.
        *args, **kwargs
            Handed on.
        """
        raise NotImplementedError

    @overload
    def __get__(self, obj: None, owner: type | None = None) -> Switch[P, R]: ...
    @overload
    def __get__(self, obj: object, owner: type | None = None) -> Callable[..., R]: ...
    def __get__(self, obj: object, owner: type | None = None) -> Any:
        raise NotImplementedError

    def report(self) -> Comparison:
        """Return both arms' calls, errors and latencies since the Switch was made; ``str()`` of it is a table."""
        words = ("python", "compiled") if self._flag in HOT_PATHS else ("control", "candidate")
        arms = [ArmReport.of(word, *self._counts(i)) for i, word in enumerate(words)]
        watch, stats = controller.find(self._flag), self._stats
        paired = None
        if stats.pairs or stats.rescued or stats.dropped:
            paired = Paired.of(stats, None if watch is None else watch.evidence())
        return Comparison(self._name, self.mode, arms[0], arms[1], paired, None if watch is None else watch.guard)

    def _tune(self) -> None:
        """Time every call from now on, unless configured otherwise, if a call is so slow that timing is cheap."""
        if self._rate_is_fixed:
            return
        for index in (0, 1):
            sketch = metrics.Sketch()
            sketch.merge(self._counts(index)[2])
            if sketch.count and sketch.quantile(0.5) >= SLOW:
                vars(self).update(_rate_is_fixed=True)
                self._time_every(1)

    def rollback(self, reason: str) -> flags.Flag:
        """Send every call of every Switch on this flag to the control until :meth:`resume`, regardless of settings."""
        return flags.rollback(self._flag, reason)

    def resume(self) -> flags.Flag:
        """End a rollback; returns the flag that is then in force."""
        return flags.resume(self._flag)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self._name, self._home)

    def __repr__(self) -> str:
        flag = flags.get(self._flag)
        return f"<Switch {self._name}: {flag.mode} ({flag.source})>"

    def _setup(self, *args: Any) -> None:
        raise NotImplementedError

    def _set_mode(self, word: str, threshold: int, sample_control: int = 0, sample_candidate: int = 0) -> None:
        raise NotImplementedError

    def _time_every(self, every: int) -> None:
        raise NotImplementedError

    def _counts(self, arm: int) -> tuple[int, int, metrics.SketchState]:
        raise NotImplementedError

    def _call_arm(self, arm: int, /, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def _calls(self) -> tuple[tuple[int, int], tuple[int, int]]:
        raise NotImplementedError

    def _tell_first(self) -> None:
        raise NotImplementedError

    def _calls_begin(self) -> None:
        """Called by both twins before the first call, after `_tell_first`; never raises."""
        try:
            process.sync.begin()
        except Exception:
            _log.exception("the flag file and the journal could not be followed")

    def _watched(self, how: int, error: BaseException | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Answer a call that both twins hand over while the Switch is watched."""
        return watched(self, controller.of(self._flag), how, error, args, kwargs)

    def _called_with(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """Name a call, for people who look for what went wrong; never raises."""
        return called_with(self._describe, args, kwargs)

    def _accept(self, mode: Mode) -> None:
        if self.candidate is None and mode.word in ("candidate", "compiled", "ramp", "shadow", "canary"):
            if self._flag in HOT_PATHS:
                _ext.load(self._flag)  # says why the compiled twin may not run
            raise ValueError(f"flag {self._flag}: {mode} cannot be applied, Switch {self._name} has no candidate")

    def _obey(self, mode: Mode) -> None:
        trial = mode.word in ("shadow", "canary") or mode.promoted
        watch = controller.of(self._flag) if trial else controller.find(self._flag)
        if self.candidate is None:
            self._set_mode("control", 0)
            return
        if watch is not None:
            watch.enter(mode)
            plan = watch.plan(mode)
            if plan is not None:
                self._set_mode(*plan)
                return
        word = {"compiled": "candidate", "python": "control", "auto": "candidate"}.get(mode.word, mode.word)
        self._set_mode(word, mode.threshold)


@functools.cache
def type_on(twin: types.ModuleType) -> type[Any]:
    """Return the class of the Switches that `twin`, a module ``switch``, implements."""
    made: type[Any] = twin.switch_type(Switch)
    return made


def live() -> dict[str, Switch[..., Any]]:
    """Return the Switches that exist now, by name."""
    return dict(sorted(_live.items()))


def _samples() -> Iterator[metrics.Sample]:
    """The metrics of every Switch."""
    for name, switch in live().items():
        for index, arm in enumerate(("control", "candidate")):
            if switch.candidate is None and arm == "candidate":
                continue
            labels = (("arm", arm), ("switch", name))
            calls, errors, latency = switch._counts(index)
            yield metrics.Sample("fastcore_calls_total", "counter", labels, calls)
            yield metrics.Sample("fastcore_call_errors_total", "counter", labels, errors)
            yield metrics.Sample("fastcore_call_duration_seconds", "latency", labels, latency)
        yield from _pair_samples(name, switch._stats)
    for name, flag in process.store.snapshot().items():
        ratio = _share_of(flag.mode)
        if ratio is not None:
            yield metrics.Sample("fastcore_rollout_ratio", "gauge", (("flag", name),), ratio)


def _pair_samples(name: str, stats: controller.PairStats) -> Iterator[metrics.Sample]:
    if stats.pairs or stats.dropped:
        same = stats.pairs - stats.mismatches - stats.failures - stats.unknown
        counts = {"same": same, "differs": stats.mismatches, "failed": stats.failures}
        counts |= {"unknown": stats.unknown, "dropped": stats.dropped}
        for result, count in counts.items():
            yield metrics.Sample("fastcore_shadow_total", "counter", (("result", result), ("switch", name)), count)
    if stats.rescued:
        labels = (("reason", "error"), ("switch", name))
        yield metrics.Sample("fastcore_fallbacks_total", "counter", labels, stats.rescued)


def _share_of(mode: str) -> float | None:
    """The share of the keys that get the candidate."""
    word, _, number = mode.partition(":")
    if word in ("ramp", "canary"):
        return float(number or 0) / 100
    return {"control": 0.0, "python": 0.0, "shadow": 0.0, "candidate": 1.0, "compiled": 1.0}.get(word)


metrics.collect(_samples)


def _look_like(switch: Switch[..., Any], control: Callable[..., Any], is_async: bool) -> None:
    """Copy the function's attributes used by introspection, except those that a Switch defines itself."""
    functools.update_wrapper(switch, control, updated=())
    for key, value in getattr(control, "__dict__", {}).items():
        if not hasattr(type(switch), key) and not key.startswith("__"):
            setattr(switch, key, value)
    if not is_async:
        return
    function: Any = control
    while isinstance(function, functools.partial):
        function = function.func
    for name in ("__code__", "__defaults__", "__kwdefaults__"):  # what inspect.iscoroutinefunction looks at
        setattr(switch, name, getattr(function, name, None))
    if sys.version_info >= (3, 12):
        inspect.markcoroutinefunction(switch)


def _restore(name: str, home: str) -> Switch[..., Any]:
    """Find the Switch `name` in this process, importing the module that creates it if needed."""
    if name not in _live and home != "__main__":
        importlib.import_module(home)
    try:
        return _live[name]
    except KeyError:
        raise LookupError(f"Switch {name}: expected module {home} to make it, and it has not") from None


def _caller() -> str:
    """The module that is making a Switch."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", "__main__"))


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not name:
        raise TypeError(f"name: expected a str that is not empty, got {name!r}")
    return name


def _checked_salt(salt: object) -> str:
    if not isinstance(salt, str):
        raise TypeError(f"salt: expected a str, got {type(salt).__name__}")
    salt.encode()  # raises where it has no UTF-8 form, which is what is hashed
    return salt


def _checked_every(every: object, is_async: bool) -> int:
    if every is None:
        return 1 if is_async else EVERY
    if not isinstance(every, int):
        raise TypeError(f"every: expected an int, got {type(every).__name__}")
    if not 1 <= every <= 1_000_000:
        raise ValueError(f"every: expected an int in 1..1000000, got {every}")
    return every
