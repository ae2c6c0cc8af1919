"""Text from outside, made safe for records."""

from __future__ import annotations

__all__ = ["said", "storable"]

_NAME = type.__dict__["__name__"]  # of a class, whatever its metaclass says


def storable(text: str) -> str:
    r"""Return text that can be written as UTF-8: lone surrogates, as of undecodable file names, become ``\udce9``."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def said(error: BaseException) -> str:
    """Return the class and the text of an error, also where its ``__str__`` or its metaclass raises."""
    name = str(_NAME.__get__(type(error)))
    try:
        text = str(error)
    except KeyboardInterrupt:
        raise
    except BaseException:  # a caller's
        return name
    return f"{name}: {text}" if text else name
