"""Statistics of results: replicates, ranking, significance, effects of parameters.

Works on plain results; knows nothing of where runs are kept or how they are trained.
"""
