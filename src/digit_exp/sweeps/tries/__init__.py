"""`digit-exp try`: a change and its baseline trained in pairs until a test decides.

Knows nothing of Hydra: it runs the jobs of its sweep itself.
"""
