"""What results mean: replicates, statistics, ranking, effects of parameters.

Works on plain results; knows nothing of where runs are kept or how they are trained.
"""
