"""Two servers of the fast service under load, with faults on purpose: ``python -m examples.market_desk soak``."""
