"""The pure-Python twin of every compiled hot path: readable, and the oracle that tests compare with.

An implementation detail: import fastcore.
"""
