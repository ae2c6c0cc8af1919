"""Errors that processes of the tests raise."""

from __future__ import annotations

import errno
import threading
from typing import Any


class Coded(Exception):
    """Its text is made of its arguments; pickle would make another of the text."""

    def __init__(self, code: int, reason: str = "none") -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code


class KeywordOnly(ConnectionError):
    def __init__(self, message: str, *, response: Any) -> None:
        super().__init__(message)
        self.response = response
        self.lock = threading.Lock()


class Child(KeywordOnly):
    pass


class Required(Exception):
    """Its subclasses must say something: none can be made without."""

    def __init_subclass__(cls, *, code: int) -> None:
        cls.code = code


class WithCode(Required, code=7):
    def __init__(self, lock: Any) -> None:
        super().__init__("locked", lock)


class Slotted(ValueError):
    __slots__ = ("lock",)

    def __init__(self) -> None:
        super().__init__("slotted", threading.Lock())


class SystemFault(OSError):
    def __init__(self, where: str) -> None:
        super().__init__(errno.ENOENT, f"nothing at {where}")
        self.lock = threading.Lock()


class Mute(Exception):
    def __str__(self) -> str:
        raise KeyboardInterrupt

    def __reduce__(self) -> Any:
        raise SystemExit


class Impostor(Exception):
    """Is read as something else."""

    def __reduce__(self) -> Any:
        return ValueError, ("an impostor",)


def local() -> Exception:
    class Local(TimeoutError):
        pass

    return Local("only here")


def caused() -> Exception:
    try:
        try:
            raise LookupError("the first cause")
        except LookupError as error:
            raise Coded(3) from error
    except Coded as error:
        return error


def noted() -> Exception:
    error = Coded(4)
    error.add_note("a note of its own")
    return error


MADE: dict[str, Any] = {
    "plain": lambda: KeyError("k"),
    "system": lambda: FileNotFoundError(errno.ENOENT, "no such file", "name"),
    "unicode": lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    "coded": lambda: Coded(404),
    "keyword": lambda: KeywordOnly("refused", response={"status": 503}),
    "child": lambda: Child("refused", response=threading.Lock()),
    "required": lambda: WithCode(threading.Lock()),
    "slotted": Slotted,
    "fault": lambda: SystemFault("home"),
    "mute": Mute,
    "impostor": Impostor,
    "local": local,
    "caused": caused,
    "noted": noted,
    "group": lambda: ExceptionGroup("many", [KeyError("k"), Child("refused", response=1), local()]),
    "nested": lambda: ExceptionGroup("outer", [ExceptionGroup("inner", [Coded(5)]), ValueError(threading.Lock())]),
    "exit": lambda: SystemExit(3),
    "interrupt": lambda: KeyboardInterrupt(),
    "base group": lambda: BaseExceptionGroup("bad", [KeyboardInterrupt()]),
}


def raises(name: str) -> None:
    raise MADE[name]()
