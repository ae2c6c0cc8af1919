"""The service as its owners wrote it: FastAPI, pandas, one request after the other, polling, reports that block.

Nothing of fastcore is imported here. ``uvicorn --factory examples.market_desk.plain.app:build_app`` serves it.
"""
