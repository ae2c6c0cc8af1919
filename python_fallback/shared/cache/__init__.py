"""Code that both twins of the cache run."""
