"""Backplanes: how the hubs of several processes and machines share what is published."""

from __future__ import annotations

from fastcore.streaming.backplanes.backplane import Backplane, BackplaneFull, BackplaneState, Published

__all__ = ["Backplane", "BackplaneFull", "BackplaneState", "Published"]
