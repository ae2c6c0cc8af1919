"""The dashboard: an ASGI application of static pages, fed by the hub."""
