"""The hot path of message framing."""
