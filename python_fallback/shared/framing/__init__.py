"""Code that both twins of framing run."""
