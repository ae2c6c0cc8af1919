"""Flags, Switches and twins: which implementation runs, and how that changes at run time."""

from __future__ import annotations
