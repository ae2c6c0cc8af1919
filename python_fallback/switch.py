"""The Switch in plain Python: a callable that hands each call to its control or its candidate and keeps count.

What decides, reports and rolls back lives in ``fastcore.dispatch.switch``; it is handed in here as a base class.
"""

from __future__ import annotations

import functools
import inspect
import os
import random
import types
import weakref
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from time import perf_counter
from typing import Any

from python_fallback.metrics import Sketch, SketchState
from python_fallback.shared.assignment_key import key_bytes

__all__ = ["belongs", "bucket", "murmur3_32", "switch_type"]

_random = random.Random()  # apart from the shared one, so that a caller's seed keeps its sequence
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)


def murmur3_32(data: bytes, seed: int = 0, /) -> int:
    """MurmurHash3_x86_32 (Austin Appleby, public domain)."""
    mask = 0xFFFFFFFF

    def scramble(k: int) -> int:
        k = k * 0xCC9E2D51 & mask
        k = (k << 15 | k >> 17) & mask
        return k * 0x1B873593 & mask

    h = seed & mask
    whole = len(data) & ~3
    for i in range(0, whole, 4):
        h ^= scramble(int.from_bytes(data[i : i + 4], "little"))
        h = (h << 13 | h >> 19) & mask
        h = (h * 5 + 0xE6546B64) & mask
    h ^= scramble(int.from_bytes(data[whole:], "little"))
    h ^= len(data)
    h ^= h >> 16
    h = h * 0x85EBCA6B & mask
    h ^= h >> 13
    h = h * 0xC2B2AE35 & mask
    return h ^ h >> 16


_remembered = functools.lru_cache(maxsize=16384)(murmur3_32)  # a service has few keys and asks for them often


def bucket(salt: str, key: object, /) -> int:
    return _remembered(f"{salt}:".encode() + key_bytes(key))


def belongs(salt: str, threshold: int, key: object, /) -> bool:
    return (_random.getrandbits(32) if key is None else bucket(salt, key)) < threshold


class _Arm:
    """One implementation and the statistics of its calls.

    No lock: between the steps of ``arm.calls += 1`` on a slot the interpreter does not change threads.
    """

    __slots__ = ("calls", "countdown", "errors", "every", "sketch", "target")

    def __init__(self, target: Callable[..., Any], every: int) -> None:
        self.target = target
        self.every = every
        self.calls = 0
        self.errors = 0
        self.sketch = Sketch()
        self.pause()

    def pause(self) -> None:
        """Draw the number of calls up to the next timed one: `every` on average, not to beat with a caller's loop."""
        self.countdown = _random.randint(1, 2 * self.every - 1)

    def begin(self) -> float:
        """Count a call; return its start if it is one of those timed, else 0."""
        self.calls += 1
        self.countdown -= 1
        if self.countdown > 0:
            return 0.0
        self.pause()
        return perf_counter()

    def end(self, start: float) -> None:
        if start:
            self.sketch.observe(perf_counter() - start)


class _Engine:
    """Both arms and the choice between them. It knows nothing of its Switch, so that a Switch is in no cycle."""

    __slots__ = ("arms", "first", "fixed", "handed", "is_async", "key", "salt", "sample", "threshold")

    def __init__(self, control: _Arm, candidate: _Arm | None, is_async: bool, salt: str, key: ContextVar[Any]) -> None:
        self.arms = (control, candidate)
        self.fixed: _Arm | None = control  # None while it ramps or is watched
        self.first = False  # the next call tells that calls have begun
        self.threshold = 0
        self.sample = 0, 0  # under watch: of 2**32 calls of each arm, those that run both
        self.handed: tuple[_Arm, ...] = ()  # under watch: what stands in for an arm, one for each of _HOW
        self.is_async = is_async
        self.salt = salt
        self.key = key

    def set_mode(self, word: str, threshold: int, sample: tuple[int, int], handed: tuple[_Arm, ...]) -> None:
        self.threshold = threshold
        self.sample = sample
        self.handed = handed
        self.fixed = {"control": self.arms[0], "candidate": self.arms[1], "ramp": None, "watched": None}[word]

    def draw(self, key: object) -> _Arm:
        chosen = belongs(self.salt, self.threshold, key)
        arm = self.arms[chosen]
        assert arm is not None  # without a candidate no flag ramps
        handed = self.handed
        if not handed:
            return arm
        sample = self.sample[chosen]
        if sample and _random.getrandbits(32) < sample:
            return handed[chosen]
        return handed[_ALONE] if chosen else arm

    def run(self, arm: _Arm, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        start = arm.begin()
        try:
            result = arm.target(*args, **kwargs)
        except Exception:
            arm.errors += 1
            raise
        if self.is_async:
            return _Awaited(arm, start, result)
        arm.end(start)
        return result


# What the public class is handed a watched call for: both arms, with the control's or the candidate's answer asked for;
# the candidate alone, awaited; or the control after the candidate has failed.
_PAIR_CONTROL, _PAIR_CANDIDATE, _ALONE, _RESCUE = range(4)
_NEVER_TIMED = 1_000_000


def _stand_ins(switch: Any) -> tuple[_Arm, ...]:
    """The replacements of an arm while a Switch is watched; they hold the Switch weakly, so that it is in no cycle."""
    engine: _Engine = switch._engine
    control, candidate = engine.arms
    assert candidate is not None
    find = weakref.ref(switch)

    def handed(how: int) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            found = find()
            return engine.run(control, args, kwargs) if found is None else found._watched(how, None, args, kwargs)

        return call

    def rescued(*args: Any, **kwargs: Any) -> Any:
        found = find()
        failed: BaseException
        try:
            return engine.run(candidate, args, kwargs)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whether it is the candidate's own failure is asked there
            failed = error
        try:  # out of the handler: what the control raises is not shown as a consequence
            return engine.run(control, args, kwargs) if found is None else found._watched(_RESCUE, failed, args, kwargs)
        finally:
            del failed

    alone = handed(_ALONE) if engine.is_async else rescued
    return tuple(_Arm(target, _NEVER_TIMED) for target in (handed(_PAIR_CONTROL), handed(_PAIR_CANDIDATE), alone))


class _Core:
    """The face of the mechanism. `__call__` is a slot: every Switch has its own, with the signature of its control."""

    __slots__ = ("__call__", "__dict__", "__weakref__", "_engine")

    _engine: _Engine

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        self: Any = object.__new__(cls)
        self.__call__ = _unready
        return self

    def _setup(
        self,
        control: Callable[..., Any],
        candidate: Callable[..., Any] | None,
        is_async: bool,
        every: int,
        salt: str,
        key: ContextVar[Any],
    ) -> None:
        if hasattr(self, "_engine"):
            raise RuntimeError("a Switch is set up once")
        arms = _Arm(control, every), None if candidate is None else _Arm(candidate, every)
        self._engine = _Engine(*arms, is_async, salt, key)
        self.__call__ = _call_like(self._engine, control, candidate)

    def _set_mode(self, word: str, threshold: int, sample_control: int = 0, sample_candidate: int = 0) -> None:
        handed = _stand_ins(self) if word == "watched" else ()
        self._engine.set_mode(word, threshold, (sample_control, sample_candidate), handed)

    def _tell_first(self) -> None:
        engine, find, real = self._engine, weakref.ref(self), self.__call__
        engine.first = True

        def first(*args: Any, **kwargs: Any) -> Any:
            found = find()
            if found is not None and engine.first:
                found.__call__ = real
                found._begin()
            return real(*args, **kwargs)

        self.__call__ = first

    def _begin(self) -> None:
        self._engine.first = False
        self._calls_begin()  # type: ignore[attr-defined]

    def _call_arm(self, index: int, /, *args: Any, **kwargs: Any) -> Any:
        arm = self._engine.arms[index]
        if arm is None:
            raise IndexError("_call_arm: expected the index of an arm")
        return self._engine.run(arm, args, kwargs)

    def _time_every(self, every: int) -> None:
        if not 1 <= every <= 1_000_000:
            raise ValueError("_time_every: expected an int in 1..1000000")
        for arm in self._engine.arms:
            if arm is not None:
                arm.every = every
                arm.pause()

    def _calls(self) -> tuple[tuple[int, int], ...]:
        return tuple((0, 0) if arm is None else (arm.calls, arm.errors) for arm in self._engine.arms)

    @property
    def control(self) -> Callable[..., Any]:
        return self._engine.arms[0].target

    @property
    def candidate(self) -> Callable[..., Any] | None:
        arm = self._engine.arms[1]
        return arm.target if arm else None

    def _counts(self, index: int) -> tuple[int, int, SketchState]:
        arm = self._engine.arms[index]
        return (0, 0, Sketch().state()) if arm is None else (arm.calls, arm.errors, arm.sketch.state())

    def call_for(self, key: object, /, *args: Any, **kwargs: Any) -> Any:
        engine = self._engine
        if engine.first:
            self._begin()
        if key is not None and engine.fixed is not None:
            key_bytes(key)  # refused at once, not when the flag begins to ramp
        return engine.run(engine.fixed or engine.draw(key), args, kwargs)

    call_for.__qualname__ = "Switch.call_for"  # which errors about arguments name

    def __get__(self, obj: object, owner: type | None = None) -> Any:
        call: Any = self
        return self if obj is None else types.MethodType(call, obj)


def _unready(*args: Any, **kwargs: Any) -> Any:
    raise RuntimeError("this Switch has not been set up")


class _Awaited(Coroutine[Any, Any, Any]):
    """What an async call returns: its latency is that of the await, from the first step on, and so are its errors."""

    __slots__ = ("_arm", "_done", "_inner", "_running", "_start", "_timed")

    def __init__(self, arm: _Arm, timed: float, awaitable: Any) -> None:
        self._arm = arm
        self._inner = awaitable
        self._timed = bool(timed)
        self._start = 0.0
        self._running = self._done = False

    def send(self, value: Any) -> Any:
        return self._step("send", value)

    def throw(self, *exception: Any) -> Any:
        return self._step("throw", *exception)

    def close(self) -> None:
        self._step("close")
        self._done = True

    def __await__(self) -> _Awaited:
        return self

    def __iter__(self) -> _Awaited:
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)  # cr_frame, __name__ and the like are the coroutine's own

    def _step(self, how: str, *args: Any) -> Any:
        if self._running:
            raise ValueError("coroutine already executing")
        self._running = True
        try:
            if how == "send" and not self._start:
                self._start = perf_counter()
                if not inspect.iscoroutine(self._inner):
                    self._inner = _iterator(self._inner)
            return getattr(self._inner, how)(*args)
        except StopIteration:
            if self._timed and not self._done:
                self._arm.end(self._start)
            self._done = True
            raise
        except Exception:
            self._arm.errors += not self._done
            self._done = True
            raise
        finally:
            self._running = False


def _iterator(awaitable: Any) -> Any:
    """Step by step through an awaitable that is not a coroutine."""

    async def through() -> Any:
        return await awaitable

    return through()


# What `_Engine.run` does, written out: a call of the pure twin makes no other call than that of its arm.
_CALL = """
def call({parameters}):
    {p}arm = {p}engine.fixed or {p}engine.draw({p}engine.key.get())
    {p}arm.calls += 1
    {p}arm.countdown -= 1
    {p}start = 0.0
    if {p}arm.countdown <= 0:
        {p}arm.pause()
        {p}start = {p}clock()
    try:
        {p}result = {p}arm.target({arguments})
    except Exception:
        {p}arm.errors += 1
        raise
    if {p}engine.is_async:
        return {p}awaited({p}arm, {p}start, {p}result)
    if {p}start:
        {p}arm.end({p}start)
    return {p}result
"""


def _call_like(
    engine: _Engine, control: Callable[..., Any], candidate: Callable[..., Any] | None
) -> Callable[..., Any]:
    """Write a function with the control's parameters: cheaper than passing ``*args, **kwargs`` on.

    Where the arms differ in a name or a default it does take ``*args, **kwargs``, as each arm must fill in its own.
    """
    parameters = _parameters(control)
    if parameters is not None and candidate is not None and not _same(parameters, _parameters(candidate)):
        parameters = None
    if parameters is None:
        parameters = [
            inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL),
            inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD),
        ]
    prefix = "_"
    while any(p.name.startswith(prefix) for p in parameters):
        prefix += "_"
    source = _CALL.format(parameters=_declared(parameters), arguments=", ".join(map(_handed_on, parameters)), p=prefix)
    names: dict[str, Any] = {f"{prefix}engine": engine, f"{prefix}awaited": _Awaited, f"{prefix}clock": perf_counter}
    exec(compile(source, f"<switch around {getattr(control, '__qualname__', control)!s}>", "exec"), names)
    call: types.FunctionType = names["call"]
    given = [p for p in parameters if p.default is not p.empty]
    call.__defaults__ = tuple(p.default for p in given if p.kind is not p.KEYWORD_ONLY)
    call.__kwdefaults__ = {p.name: p.default for p in given if p.kind is p.KEYWORD_ONLY}
    call.__name__ = getattr(control, "__name__", "call")
    call.__qualname__ = getattr(control, "__qualname__", call.__name__)  # errors about arguments name the control
    return call


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter] | None:
    try:
        found = inspect.signature(function).parameters.values()
    except Exception:  # many builtins have none, and a control may answer inspect with anything
        return None
    return [p.replace(annotation=p.empty) for p in found]


def _same(ours: list[inspect.Parameter], theirs: list[inspect.Parameter] | None) -> bool:
    try:
        return ours == theirs
    except Exception:  # defaults that do not compare, such as arrays
        return False


def _declared(parameters: list[inspect.Parameter]) -> str:
    words = []
    last: Any = None
    for p in parameters:
        if last == p.POSITIONAL_ONLY != p.kind:
            words.append("/")
        if p.kind == p.KEYWORD_ONLY and last not in (p.KEYWORD_ONLY, p.VAR_POSITIONAL):
            words.append("*")
        stars = "*" if p.kind == p.VAR_POSITIONAL else "**" if p.kind == p.VAR_KEYWORD else ""
        words.append(stars + p.name + ("" if p.default is p.empty else "=None"))
        last = p.kind
    if last == inspect.Parameter.POSITIONAL_ONLY:
        words.append("/")
    return ", ".join(words)


def _handed_on(p: inspect.Parameter) -> str:
    if p.kind == p.VAR_POSITIONAL:
        return f"*{p.name}"
    if p.kind == p.VAR_KEYWORD:
        return f"**{p.name}"
    return f"{p.name}={p.name}" if p.kind == p.KEYWORD_ONLY else p.name


def switch_type(base: type, /) -> type:
    """The class of the pure twin's Switches, on top of `base`."""
    return type("Switch", (_Core, base), {"__slots__": (), "__module__": __name__, "__doc__": base.__doc__})
