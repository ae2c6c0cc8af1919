"""asv suites, one a part of the library; FASTCORE_BACKEND chooses the twin, so both are measured from one build.

State is made by cached functions, never by ``setup``: with a ``setup`` hook asv would call a benchmark once per sample,
and a call of some tens of nanoseconds cannot be timed that way. For the same reason each benchmark works through many
operations.

Importing any suite imports this package first, and so checks that the installed build is the one to be measured.
"""

from benchmarks import build

build.check()
