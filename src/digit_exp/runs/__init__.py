"""One run, from start to end: data, network, training, files, resuming.

Knows nothing of sweeps: it gets a configuration and a folder.
"""
