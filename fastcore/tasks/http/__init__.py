"""Tasks over HTTP: a FastAPI router over a queue. Imports FastAPI, so it is itself imported only when asked for."""
