"""The owner's names for what the dispatcher can do: gradual switching-on, rollback, A/B tests, comparisons."""
