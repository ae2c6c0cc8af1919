"""Answers to subscribe, packed and framed once for all clients that get the same."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import NamedTuple

from fastcore.framing import Packer, Subscription, frame_packed, packb
from fastcore.streaming.messages import FRESH, GAP, RECOVERED, SUBSCRIBE

__all__ = ["ENTRIES", "Answers", "entries_of"]

ENTRIES = 20_000  # of an answer, in one message
FEW = 256  # entries that are lists at once


def entries_of(told: Iterable[Subscription], asked: Container[str] | bool) -> list[list[object]]:
    """Return the entries of an answer; `asked` has the topics with a position of the client, or is True for all."""
    return [
        [
            topic,
            number,
            offset,
            RECOVERED if recovered else GAP if asked is True or (asked and topic in asked) else FRESH,
        ]
        for topic, number, _, offset, recovered in told
    ]


class _Packed(NamedTuple):
    told: Sequence[Subscription]  # kept, so that no other gets its id
    parts: list[bytes]
    framed: dict[tuple[int, bool], list[bytes]]  # by ref, and whether more follows


class Answers:
    """The frames of large answers, kept while other clients may need the same."""

    def __init__(self) -> None:
        self._packed: dict[tuple[int, bool], _Packed] = {}

    def frames(self, told: Sequence[Subscription], resumed: bool, ref: int, more: bool) -> list[bytes]:
        """Return the answer to a pattern; `resumed` if the client sent positions, `more` if another answer follows."""
        packed = self._packed.get((id(told), resumed))
        if packed is None:
            parts = [_packed(told[at : at + ENTRIES], resumed) for at in range(0, len(told), ENTRIES)]
            packed = self._packed[id(told), resumed] = _Packed(told, parts, {})
        frames = packed.framed.get((ref, more))
        if frames is None:
            packed.framed.clear()  # most ask with the same number
            last = len(packed.parts) - 1
            frames = packed.framed[ref, more] = [
                _framed(ref, part, more or i < last) for i, part in enumerate(packed.parts)
            ]
        return frames

    def forget(self) -> None:
        self._packed.clear()


def _packed(told: Sequence[Subscription], resumed: bool) -> bytes:
    """The entries as an array of msgpack, a few at a time: many thousands of lists at once start the collector."""
    packer = Packer()
    parts = [packer.pack_array_header(len(told))]
    for at in range(0, len(told), FEW):
        entries = entries_of(told[at : at + FEW], resumed)
        parts.append(packer.pack(entries)[len(packer.pack_array_header(len(entries))) :])
    return b"".join(parts)


def _framed(ref: int, entries: bytes, more: bool) -> bytes:
    kind = bytes([SUBSCRIBE])
    parts = (b"\x94", kind, packb(ref), entries, b"\xc3") if more else (b"\x93", kind, packb(ref), entries)
    return frame_packed(b"".join(parts))
