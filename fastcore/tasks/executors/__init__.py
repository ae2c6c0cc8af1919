"""Where tasks run: asyncio, threads, process slots, Dask."""
