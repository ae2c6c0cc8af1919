"""What both twins of framing run."""
