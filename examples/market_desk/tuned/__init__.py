"""The service tuned by hand, without fastcore: the same routes and answers, and a stream.

numpy over all symbols at once, ``functools.lru_cache`` by bar, ``asyncio.gather`` over async clients, threads for work
that would hold the loop, ``BackgroundTasks``, and one WebSocket send a bar for each client.
"""
