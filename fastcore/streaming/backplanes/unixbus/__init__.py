"""A backplane for the processes of one machine, over Unix sockets."""

from __future__ import annotations

from fastcore.streaming.backplanes.unixbus.bus import UnixBus

__all__ = ["UnixBus"]
