"""The hot path of rolling indicators."""
