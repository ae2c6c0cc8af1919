"""DataFrames in fewer bytes, a watch over the process's memory, and the garbage collector's settings."""
