"""From YAML and a command line to a checked RunConfig, or to every error at once.

Knows the registered components and Hydra; knows nothing of running, tracking or sweeping.
"""
