"""Runs that have ended: found again, compared, reproduced, promoted, used to predict.

Knows nothing of how a run is trained; it reads what the run left in its folder or store.
"""
