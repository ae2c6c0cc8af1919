"""`install(app)` adds metrics, health, tasks, streaming and a dashboard to an existing FastAPI application."""

from __future__ import annotations

from fastcore.service.installation import install
from fastcore.service.installed import Installed

__all__ = ["Installed", "install"]
