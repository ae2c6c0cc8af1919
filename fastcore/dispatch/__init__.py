"""Flags, switches and twins: which implementation runs, and how that is changed while it runs."""

from __future__ import annotations
