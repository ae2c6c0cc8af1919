"""Task: a named function with its default options."""

from __future__ import annotations

import functools
import hashlib
import importlib
import inspect
import pickle
import sys
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, Unpack

from fastcore import metrics
from fastcore._text import storable
from fastcore.concurrency.checks import is_async
from fastcore.concurrency.limiter import Turns
from fastcore.concurrency.retry import Retry
from fastcore.tasks.codec import Codec
from fastcore.tasks.errors import TaskError
from fastcore.tasks.options import Options, SubmissionOptions
from fastcore.tasks.records import Encoded, State

if TYPE_CHECKING:
    from fastcore.tasks.queue import TaskQueue

__all__ = ["Configured", "Task", "find_task", "place_of", "register", "registered"]

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)

# What Celery, Huey and dramatiq call it.
_ELSEWHERE = ("apply_async", "delay", "enqueue", "schedule", "send", "send_with_options")
_PLAIN = Codec(max_bytes=1 << 40)  # what is only compared may be of any size


class Configured(Generic[P, R_co]):
    """A task with options of its own for some submissions."""

    __slots__ = ("attempts", "checked", "options", "plain", "policy", "task")

    def __init__(self, task: Task[P, R_co], options: Options) -> None:
        self.task = task
        self.options = options
        self.attempts = options.attempts
        self.policy: Retry = options.policy
        self.plain = not (options.delay or options.run_at or options.unique or options.unique_key or options.serial_key)
        self.plain = self.plain and options.idempotency_key is None
        self.checked = False
        """Whether the executor was asked if it can honour them."""

    def configure(self, **options: Unpack[SubmissionOptions]) -> Configured[P, R_co]:
        """Return the task with further options changed."""
        return Configured(self.task, self.options.changed(options))

    def submit(self, /, *args: P.args, **kwargs: P.kwargs) -> str:
        """Queue a call; see :meth:`TaskQueue.submit`."""
        return self.task.queue.submit(self, *args, **kwargs)

    async def asubmit(self, /, *args: P.args, **kwargs: P.kwargs) -> str:
        """Queue a call; see :meth:`TaskQueue.asubmit`."""
        return await self.task.queue.asubmit(self, *args, **kwargs)


class Task(Generic[P, R_co]):
    """A registered function, as ``@queue.task`` returns it. Calling it calls the function directly.

    Attributes
    ----------
    name : str
    fn : callable
    on : str
        The executor's name.
    concurrency : int or None
        How many run at once in this process.
    options : Options
    codec : Codec
        How its arguments and results become bytes.

    Examples
    --------
    >>> from fastcore.tasks import TaskQueue
    >>> queue = TaskQueue(inline=True)
    >>> @queue.task(name="spread", retries=3)
    ... def spread(bid, ask):
    ...     return ask - bid
    >>> spread(1.0, 1.5)                              # a plain call
    0.5
    >>> queue.result(queue.submit(spread, 1.0, 1.5))
    0.5
    """

    def __init__(
        self,
        queue: TaskQueue,
        fn: Callable[P, R_co],
        name: str,
        on: str,
        options: Options,
        concurrency: int | None,
        rate: tuple[int, float] | None,
        memory_limit: int | None,
        codec: Codec,
    ) -> None:
        functools.update_wrapper(self, fn)
        self.queue = queue
        self.fn = fn
        self.name = name
        self.on = on
        self.is_async = is_async(fn)
        self.concurrency = concurrency
        self.memory_limit = memory_limit
        self.codec = codec
        self.configured = Configured(self, options)
        self.around: tuple[Callable[..., Any], ...] = ()
        """The queue's middleware for it, the first outermost."""
        self.turns: Turns[int] | None = None if rate is None else Turns(None, *rate)
        self._signature = _signature(fn)
        self._fewest, self._most, self._names = _positional(self._signature)
        self.succeeded = metrics.counter("fastcore_tasks_ended_total", task=name, state="succeeded")
        self.ended = {
            state: metrics.counter("fastcore_tasks_ended_total", task=name, state=state.value)
            for state in (State.FAILED, State.CANCELLED, State.DEAD)
        }
        self.retried = metrics.counter("fastcore_tasks_retried_total", task=name)
        self.submitted = metrics.counter("fastcore_tasks_submitted_total", task=name)
        self.duration = metrics.latency("fastcore_tasks_run_seconds", task=name)
        self.waited = metrics.latency("fastcore_tasks_wait_seconds", task=name)

    @property
    def options(self) -> Options:
        """The options that it runs with."""
        return self.configured.options

    @property
    def priority(self) -> float:
        """Its priority: the lower runs first."""
        return self.configured.options.priority

    def configure(self, **options: Unpack[SubmissionOptions]) -> Configured[P, R_co]:
        """Return the task with options changed for the submissions made through it.

        Parameters
        ----------
        priority : float
            0 is urgent, 5 normal, 9 idle.
        retries : int or Retry
        timeout : seconds for one attempt
        result_ttl : seconds
        delay : seconds, or run_at : datetime or seconds since the epoch
            Not to be begun before that.
        unique : bool or callable
            One live task for the same arguments; a callable makes the key of them.
        unique_key : str
            One live task with this key.
        serial_key : str or callable
            Of the tasks with this key, of whatever kind, one at a time is worked on, in the order of the queue: the
            next begins when the one before has ended, its retries included. A callable makes the key of the arguments.
        idempotency_key, fingerprint : str
            One task with this key for as long as anything is known of it, only for a call of the same fingerprint.
        """
        return self.configured.configure(**options)

    def submit(self, /, *args: P.args, **kwargs: P.kwargs) -> str:
        """Queue a call; see :meth:`TaskQueue.submit`."""
        return self.queue.submit(self, *args, **kwargs)

    async def asubmit(self, /, *args: P.args, **kwargs: P.kwargs) -> str:
        """Queue a call; see :meth:`TaskQueue.asubmit`."""
        return await self.queue.asubmit(self, *args, **kwargs)

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R_co:
        return self.fn(*args, **kwargs)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            text = f"{type(self).__name__!r} object has no attribute {name!r}"
            if name in _ELSEWHERE and "name" in self.__dict__:
                text += "; write task.submit(...), or task.configure(delay=60).submit(...)"
            raise AttributeError(text, name=name, obj=self)

    def __repr__(self) -> str:
        return f"Task({self.name!r}, on={self.on!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        qualname = getattr(self.fn, "__qualname__", None)
        if qualname is None:  # an object, which is sent as it is
            return _itself, (self.fn,)
        found = _at(self.fn.__module__, qualname, self.name)
        here = list(vars(sys.modules[self.fn.__module__]).values())
        if found is not self.fn and not any(one is self for one in (found, *here)):
            raise TypeError(
                f"{self.name}: expected {self.fn!r} under its name in module {self.fn.__module__}, got {found!r}"
            )
        return find_task, (self.fn.__module__, qualname, self.name)

    # ---- arguments ----

    def check(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise the TypeError that the call would raise."""
        if not kwargs and self._fewest <= len(args) <= self._most:
            return
        if self._signature is not None:
            try:
                self._signature.bind(*args, **kwargs)
            except TypeError as error:
                raise TypeError(f"{self.name}: {error}") from None

    def serial_key_of(self, key: str | Callable[..., str] | None, args: tuple[Any, ...], kwargs: Any) -> str | None:
        """Return the key of a call whose tasks run one after the other."""
        if not callable(key):
            return key
        made = key(*args, **kwargs)
        if not isinstance(made, str):
            raise TypeError(f"serial_key: expected {self.name}'s to return a str, got {type(made).__name__}")
        return storable(made)

    def key_of(self, unique: bool | Callable[..., str], args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """Return the key that `unique` makes of a call."""
        if callable(unique):
            made = unique(*args, **kwargs)
            if not isinstance(made, str):
                raise TypeError(f"unique: expected {self.name}'s to return a str, got {type(made).__name__}")
            return f"{self.name}:{storable(made)}"
        args, kwargs = self._normal(args, kwargs)
        return f"{self.name}:{_digest(self.codec.encode_call(args, kwargs, self._names, self.name))}"

    def identity(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """Return a text that identifies a call: the same in every process, however the arguments are written.

        Where they cannot be encoded, which only a store in memory takes, it is the same for this process at most.
        """
        args, kwargs = self._normal(args, kwargs)
        try:
            data: bytes = _PLAIN.encode_call(args, kwargs)
        except (TaskError, TypeError, ValueError):
            try:
                data = pickle.dumps((args, kwargs), protocol=5)
            except Exception:  # locks, lambdas, connections: told apart as objects
                data = repr([id(one) for one in (*args, *kwargs.values())]).encode()
        return f"{self.name}:{_digest(data)}"

    def _normal(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments as one call has them, however they are written."""
        if self._signature is None:
            return args, kwargs
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return _in_order(bound.args), _in_order(bound.kwargs)

    def encode(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Encoded:
        """Return the arguments of a call as bytes."""
        return self.codec.encode_call(args, kwargs, self._names, self.name)


def _in_order(value: Any) -> Any:
    """Return containers with the items of dicts in one order, as dicts that differ in it are equal."""
    if type(value) is dict:
        return {key: _in_order(value[key]) for key in sorted(value, key=lambda key: (type(key).__name__, repr(key)))}
    if type(value) in (list, tuple):
        return type(value)(map(_in_order, value))
    return value


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def find_task(module: str, qualname: str, name: str) -> Any:
    """Return the task that stands under a name in a module, or that the module registered; or else the function."""
    found = _at(module, qualname, name)
    if not isinstance(found, Task) and callable(found):
        return registered(name, found) or found
    return found


def _at(module: str, qualname: str, name: str) -> Any:
    found: Any = sys.modules.get(module) or importlib.import_module(module)
    try:
        for part in qualname.split("."):
            found = getattr(found, part)
    except AttributeError:
        raise LookupError(
            f"{name}: expected {qualname} in module {module} as other processes import it, got no such name; "
            "what a script defines under `if __name__ == '__main__':` is not there"
        ) from None
    return found


def _itself(fn: Any) -> Any:
    return fn


def _signature(fn: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(fn)
    except (TypeError, ValueError):  # some built-in functions tell none
        return None


def _positional(signature: inspect.Signature | None) -> tuple[int, float, list[str]]:
    """Return how few and how many positional arguments make a call without keywords, and their names."""
    if signature is None:
        return 0, float("inf"), []
    fewest, most = 0, 0.0
    names: list[str] = []
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            most = float("inf")
        elif parameter.kind is parameter.KEYWORD_ONLY:
            if parameter.default is parameter.empty:
                return 1, 0, names  # never without keywords
        elif parameter.kind is not parameter.VAR_KEYWORD:
            most += 1
            fewest += parameter.default is parameter.empty
            names.append(parameter.name)
    return fewest, most, names


_registered: weakref.WeakValueDictionary[str, Task[..., Any]] = weakref.WeakValueDictionary()


def register(task: Task[..., Any]) -> None:
    """Note a task for `registered`."""
    _registered[task.name] = task


def registered(name: str, fn: Callable[..., Any]) -> Task[..., Any] | None:
    """Return the task of this name that a queue of this process made of a function, if there is one."""
    task = _registered.get(name)
    return task if task is not None and place_of(task.fn) == place_of(fn) else None


def place_of(fn: Callable[..., Any]) -> tuple[Any, Any]:
    """Return the module and the qualified name of a function."""
    return getattr(fn, "__module__", None), getattr(fn, "__qualname__", None)
