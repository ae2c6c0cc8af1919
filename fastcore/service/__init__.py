"""Everything on an existing FastAPI application: `install(app)`."""

from __future__ import annotations

from fastcore.service.installation import install
from fastcore.service.installed import Installed

__all__ = ["Installed", "install"]
