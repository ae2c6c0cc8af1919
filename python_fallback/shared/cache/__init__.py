"""What both twins of the cache run."""
