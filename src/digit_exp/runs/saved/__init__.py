"""Runs that were saved, in a folder or a store: found again, compared, resumed, promoted, served.

Knows nothing of how a run is trained; it reads what the run left there.
"""
