"""Imported by Python itself as it starts: see tests/elsewhere/systems.py."""

import os

if system := os.environ.get("ELSEWHERE_SYSTEM"):
    from tests.elsewhere import systems

    systems.begin(system)
