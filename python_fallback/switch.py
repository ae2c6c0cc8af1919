"""The Switch in plain Python: a callable that hands each call to its control or its candidate and keeps count.

What decides, reports and rolls back lives in ``fastcore.dispatch.switch``; it is handed in here as a base class.
"""

from __future__ import annotations

import functools
import inspect
import random
import types
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from time import perf_counter
from typing import Any

from python_fallback.metrics import Sketch, SketchState

__all__ = ["belongs", "bucket", "murmur3_32", "switch_type"]

_random = random.Random()  # apart from the shared one, so that a caller's seed keeps its sequence


def murmur3_32(data: bytes, seed: int = 0) -> int:
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


def bucket(salt: str, key: object) -> int:
    return _remembered(f"{salt}:".encode() + _key_bytes(key))


def belongs(salt: str, threshold: int, key: object) -> bool:
    return (_random.getrandbits(32) if key is None else bucket(salt, key)) < threshold


def _key_bytes(key: object) -> bytes:
    if isinstance(key, str):
        return key.encode()
    if isinstance(key, bytes):
        return key
    if isinstance(key, int):
        return int.__repr__(key).encode()
    raise TypeError(f"key: expected a str, bytes or int, got {type(key).__name__}")


class _Arm:
    """One implementation and what became of its calls.

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


class _Core:
    """The mechanism; its subclass per Switch has a `__call__` with the control's signature."""

    __slots__ = ("__dict__", "__weakref__", "_arms", "_choose", "_fixed", "_is_async", "_key", "_salt", "_threshold")

    _arms: tuple[_Arm, _Arm | None]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return object.__new__(cls)

    def _setup(
        self,
        control: Callable[..., Any],
        candidate: Callable[..., Any] | None,
        is_async: bool,
        every: int,
        salt: str,
        key: ContextVar[Any],
    ) -> None:
        if hasattr(self, "_arms"):
            raise RuntimeError("a Switch is set up once")
        self._arms = (_Arm(control, every), None if candidate is None else _Arm(candidate, every))
        self._is_async = is_async
        self._salt = salt
        self._key = key
        self._set_mode("control", 0)
        call = _call_like(self, control, candidate)
        body = {"__slots__": (), "__module__": __name__, "__call__": staticmethod(call)}
        self.__class__ = type("Switch", (type(self),), body)

    def _set_mode(self, word: str, threshold: int) -> None:
        self._threshold = threshold
        self._fixed = {"control": self._arms[0], "candidate": self._arms[1], "ramp": None}[word]

    @property
    def control(self) -> Callable[..., Any]:
        return self._arms[0].target

    @property
    def candidate(self) -> Callable[..., Any] | None:
        return self._arms[1].target if self._arms[1] else None

    def _counts(self, index: int) -> tuple[int, int, SketchState]:
        arm = self._arms[index]
        return (0, 0, Sketch().state()) if arm is None else (arm.calls, arm.errors, arm.sketch.state())

    def call_for(self, key: object, /, *args: Any, **kwargs: Any) -> Any:
        return self._run(self._fixed or self._draw(key), args, kwargs)

    def __get__(self, obj: object, owner: type | None = None) -> Any:
        call: Any = self
        return self if obj is None else types.MethodType(call, obj)

    def _draw(self, key: object) -> _Arm:
        chosen = self._arms[belongs(self._salt, self._threshold, key)]
        assert chosen is not None
        return chosen

    def _run(self, arm: _Arm, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        start = arm.begin()
        try:
            result = arm.target(*args, **kwargs)
        except Exception:
            arm.errors += 1
            raise
        if self._is_async:
            return _awaited(arm, start, result)
        arm.end(start)
        return result


async def _awaited(arm: _Arm, start: float, result: Awaitable[Any]) -> Any:
    """The await is what counts: its latency from the first step on, and its errors."""
    start = start and perf_counter()
    try:
        value = await result
    except Exception:
        arm.errors += 1
        raise
    arm.end(start)
    return value


# What `_Core._run` does, written out: a call of the pure twin makes no other call than that of its arm.
_CALL = """
def call({parameters}):
    {p}arm = {p}core._fixed or {p}core._draw({p}core._key.get())
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
    if {p}core._is_async:
        return {p}awaited({p}arm, {p}start, {p}result)
    if {p}start:
        {p}arm.end({p}start)
    return {p}result
"""


def _call_like(core: _Core, control: Callable[..., Any], candidate: Callable[..., Any] | None) -> Callable[..., Any]:
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
    names: dict[str, Any] = {f"{prefix}core": core, f"{prefix}awaited": _awaited, f"{prefix}clock": perf_counter}
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
    except (TypeError, ValueError):  # many builtins have none
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


def switch_type(base: type) -> type:
    """The class of the pure twin's Switches, on top of `base`."""
    return type("Switch", (_Core, base), {"__slots__": (), "__module__": __name__, "__doc__": base.__doc__})
