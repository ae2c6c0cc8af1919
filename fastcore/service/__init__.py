"""Everything on an existing FastAPI application: `install(app)`."""
