"""Background tasks: a store (record of truth), executors (where code runs) and one engine between them."""
