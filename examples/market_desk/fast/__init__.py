"""The plain service made fast by fastcore: the same routes and answers, each optimisation behind its flag.

Every optimisation is a `fastcore.Switch` whose control is the plain version, so a flag brings that back without a
restart. Only public names of fastcore are used. ``FASTCORE_BACKEND=python`` runs the same in pure Python.
"""
