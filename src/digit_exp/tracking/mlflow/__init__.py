"""Runs and sweeps in an MLflow store: written, queried, and shown in its web page.

Knows nothing of how a run is trained.
"""
