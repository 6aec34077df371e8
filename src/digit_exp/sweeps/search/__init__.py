"""A search of hyperparameters with Optuna, as a sweeper of Hydra.

Knows nothing of runs: it proposes values and receives an objective.
"""
