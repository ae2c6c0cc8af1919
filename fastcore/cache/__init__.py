"""The hot path of the LRU and TTL caches."""
