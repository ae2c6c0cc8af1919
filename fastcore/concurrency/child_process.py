"""One child process that runs one call at a time; its death costs that call and nothing else."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from fastcore.concurrency.remote_error import sendable, trace_of

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

__all__ = ["ChildProcess", "ProcessDied", "UnpicklableResult", "name_of", "packed", "serve_each", "tell"]

_SECONDS_TO_END = 2.0

Call = Callable[[], tuple[Any, str]]
"""A call that came to a child: it returns its value and what error texts call it."""


class ProcessDied(RuntimeError):
    """The process ended before the call that it ran.

    Examples
    --------
    >>> from fastcore.concurrency import ProcessDied
    >>> issubclass(ProcessDied, RuntimeError)
    True
    """


class UnpicklableResult(TypeError):
    """A call in a process returned a value that cannot be pickled; it is not retried."""


def name_of(fn: Any) -> str:
    """Return what to call a function in an error text."""
    name = getattr(fn, "__qualname__", None)
    module = getattr(fn, "__module__", None)  # methods of built-in types have none
    return f"{module}.{name}" if name and module else name or repr(fn)


class ChildProcess:
    """A child process, started when it is first needed and again after it died.

    Parameters
    ----------
    owner : str
        Whose process it is, for error texts.
    """

    def __init__(self, owner: str = "run_cpu") -> None:
        self.starts = 0
        """How many children there have been."""
        self._owner = owner
        self._lock = threading.Lock()  # held while a child starts, and while one is killed
        self._reaping = threading.Lock()  # held while a child's end is awaited: Process is not for two threads at once
        self._left = False
        self._process: SpawnProcess | None = None
        self._conn: Connection[Any, Any] | None = None
        self._doomed = False

    @property
    def pid(self) -> int | None:
        """The child's process id."""
        process = self._process
        return None if process is None else process.pid

    def call(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        *,
        ready: Callable[[], object] | None = None,
        told: Callable[[Any], object] | None = None,
        name: str | None = None,
    ) -> Any:
        """Run ``fn(*args)`` in the child and wait for it.

        Parameters
        ----------
        ready : callable, optional
            Called when there is a child and the call is about to be sent.
        told : callable, optional
            Called with each value that code in the child passes to :func:`tell`, now or in an earlier call.
        name : str, optional
            What error texts call the function.

        Raises
        ------
        ProcessDied
            If the child ended before it answered.
        TypeError
            If the function, its arguments or its result cannot be pickled.
        """
        called = name_of(fn) if name is None else name
        try:
            payload = packed((fn, args), called)
            conn = self._connected(called)
            if ready is not None:
                ready()
            try:
                conn.send_bytes(payload)
            except OSError:
                raise self._death(f"to return from {called}") from None
            del payload
            done, value, trace, _ = pickle.loads(self._answer(conn, called))
            while done is None:
                if told is not None:
                    told(value)
                done, value, trace, _ = pickle.loads(self._answer(conn, called))
        finally:
            self.spare()
        if done:
            return value
        raise self.noted(value, trace)

    def noted(self, error: BaseException, trace: str) -> BaseException:
        """Return an error of the child with its traceback there."""
        with contextlib.suppress(Exception):  # its class may have notes of its own
            BaseException.add_note(error, f"raised in a process of {self._owner}:\n{trace.rstrip()}")
        return error

    def kill(self) -> None:
        """End the child at once, and with it the call that runs, or else the next one."""
        with self._lock:
            self._doomed = True
            if self._process is not None:
                self._process.kill()

    def spare(self) -> None:
        """Let the next call run although `kill` may have come too late for the last one."""
        with self._lock:
            self._doomed = False

    def alive(self) -> bool:
        """Whether there is a child that runs."""
        return self._process is not None and self._process.exitcode is None

    def dead(self) -> bool:
        """Whether the last child has ended."""
        process = self._process
        try:
            return process is not None and process.exitcode is not None
        except ValueError:  # closed meanwhile: its end was seen
            return False

    def cut_off(self) -> None:
        """End the wait for a dead child whose end of the pipe is held by a process that it forked."""
        import socket

        with self._lock:
            if self._conn is not None and not self._conn.closed and hasattr(socket, "AF_UNIX"):
                with socket.socket(fileno=os.dup(self._conn.fileno())) as end:
                    end.shutdown(socket.SHUT_RDWR)

    def hang_up(self) -> None:
        """Let an idle child exit."""
        with self._lock:
            if self._conn is not None:
                self._conn.close()
                self._conn = None

    def join(self, seconds: float) -> None:
        """Wait for a child that was asked to exit, and kill it if it does not."""
        with self._reaping:
            with self._lock:
                process, self._process = self._process, None
            if process is None:
                return
            process.join(seconds)
            if process.exitcode is None:
                process.kill()
                process.join()
            process.close()

    def leave(self) -> None:
        """Start no more children, and release the current one: multiprocessing joins it as the program ends."""
        with self._reaping, self._lock:
            self._left = True
            self._process = None

    def forget(self) -> None:
        """Release a child that belongs to another process: after a fork, in the forked one."""
        from multiprocessing import process as registry

        children: set[Any] = getattr(registry, "_children", set())
        children.discard(self._process)  # else multiprocessing would wait for it at exit, and fail
        if self._conn is not None:
            self._conn.close()

    def _answer(self, conn: Connection[Any, Any], name: str) -> bytes:
        try:
            return conn.recv_bytes()
        except (EOFError, OSError):
            raise self._death(f"to return from {name}") from None

    def _connected(self, name: str) -> Connection[Any, Any]:
        with self._lock:
            if self._doomed:
                raise ProcessDied(f"expected a process to run {name}, got the call withdrawn")
            if self._conn is not None and self.alive():
                return self._conn
        self.hang_up()
        self.join(_SECONDS_TO_END)
        with self._lock:
            if self._doomed or self._left:
                raise ProcessDied(f"expected a process to run {name}, got the call withdrawn")
            conn = self._start()
        try:
            conn.recv_bytes()  # its first message: the main module is imported
        except (EOFError, OSError):
            what = "to start; a script's own work belongs under `if __name__ == '__main__':`"
            raise self._death(what) from None
        return conn

    def _start(self) -> Connection[Any, Any]:
        import multiprocessing

        # Spawned, not forked: a forked child of a process with threads may find any lock held forever.
        context = multiprocessing.get_context("spawn")
        pipe: tuple[Any, Any] = context.Pipe()  # its class is another one on Windows
        ours, theirs = pipe
        try:
            serving, given = self._service()
            process = context.Process(target=serving, args=(theirs, *given), name="fastcore-cpu", daemon=False)
            process.start()
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()  # the child has the only other end, so that its death is the end of the stream
        self._process, self._conn = process, ours
        self.starts += 1
        return cast("Connection[Any, Any]", ours)

    def _service(self) -> tuple[Callable[..., object], tuple[Any, ...]]:
        """Return the function of the next child, and its arguments after its end of the pipe."""
        return serve, ()

    def _death(self, expected: str) -> ProcessDied:
        self.hang_up()
        pid, code = None, None
        with self._reaping:
            process = self._process
            if process is not None:
                process.join(_SECONDS_TO_END)
                pid, code = process.pid, process.exitcode
        return ProcessDied(f"expected process {pid} {expected}, got {_ending(code)}")


def packed(call: tuple[Any, ...], name: str) -> bytes:
    """Return a call as bytes."""
    try:
        return pickle.dumps(call, protocol=5)
    except Exception as error:
        got = f"{type(error).__name__}: {error}"
        raise TypeError(f"{name}: expected a function and arguments that can be pickled, got {got}") from error


def _ending(code: int | None) -> str:
    if code is None:
        return "its pipe closed"
    if code >= 0:
        return f"its end with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"its death by {name}" + (" (killed from outside, or out of memory)" if name == "SIGKILL" else "")


# ---- in the child ----


_to_parent: Connection[Any, Any] | None = None
_telling = threading.Lock()  # one message at a time, whichever thread it comes from


def tell(value: Any) -> None:
    """In a child, pass a value to the `told` of the running call; anywhere else, do nothing."""
    if _to_parent is not None:
        _send(_to_parent, pickle.dumps((None, value, "", 0.0), protocol=5))


def _send(conn: Connection[Any, Any], message: bytes) -> None:
    with _telling:
        conn.send_bytes(message)


def _orphan() -> None:
    """In what a call forked: the pipe is its parent's."""
    global _to_parent
    _to_parent = None


def serve(conn: Connection[Any, Any]) -> None:
    """Answer calls until the parent hangs up or has ended."""

    def receive() -> Call:
        payload = [conn.recv_bytes()]

        def call() -> tuple[Any, str]:
            fn, args = pickle.loads(payload.pop())
            return fn(*args), name_of(fn)

        return call

    serve_each(conn, receive)


def serve_each(conn: Connection[Any, Any], receive: Callable[[], Call]) -> None:
    """Answer calls until `receive` raises EOFError or OSError, or the parent has ended."""
    global _to_parent
    _to_parent = conn
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_orphan)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides what ends
    try:
        conn.send_bytes(b"ready")
        while True:
            _send(conn, _answer(receive()))
    except (EOFError, OSError):
        return


def _answer(call: Call) -> bytes:
    began = time.perf_counter()
    try:
        value, name = call()
    except BaseException as error:  # SystemExit as well: it ends the call, neither this process nor the parent
        return _failure(error, time.perf_counter() - began)
    finally:
        _flush()
    ran = time.perf_counter() - began
    try:
        return pickle.dumps((True, value, "", ran), protocol=5)
    except Exception as error:
        text = f"{name}: expected a result that can be pickled, got {type(value).__name__}: {error}"
        return pickle.dumps((False, UnpicklableResult(text), traceback.format_exc(), ran), protocol=5)


def _failure(error: BaseException, ran: float) -> bytes:
    return pickle.dumps((False, sendable(error), trace_of(error), ran), protocol=5)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass
