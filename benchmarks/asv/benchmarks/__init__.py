"""asv suites, one a hot path; FASTCORE_BACKEND chooses the twin, so both are measured from one build.

State is made at module level: a ``setup`` hook would make asv call a benchmark once per sample, and a call of some
tens of nanoseconds cannot be timed that way. For the same reason each method works through many operations.
"""
