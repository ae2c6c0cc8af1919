"""The pure half of the indicators, one module a family."""
