"""The dashboard: an ASGI application of static pages, fed by a hub."""

from fastcore.service.dashboard.app import Dashboard
from fastcore.service.dashboard.prices import Prices
from fastcore.service.dashboard.sources import Sources

__all__ = ["Dashboard", "Prices", "Sources"]
