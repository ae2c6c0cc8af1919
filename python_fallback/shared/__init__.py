"""Code that both twins run: it stays in use when a flag switches to pure Python, so it is tested separately."""
