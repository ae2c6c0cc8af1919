"""The pure-Python half of fastcore: the readable twin, and the oracle, of every compiled hot path.

An implementation detail: import fastcore.
"""
