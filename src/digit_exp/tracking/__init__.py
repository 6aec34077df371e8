"""Where a run is tracked: the contract of a tracker, provenance, and which process owns a run.

The only package that imports MLflow, and only inside functions. Knows nothing of configuration.
"""
