"""Where Hydra finds the search: it takes sweepers from the namespace `hydra_plugins` only.

Hydra imports this whenever it starts, so nothing slow may be imported here.
"""

from digit_exp.sweeps.search import sweeper

sweeper.register()


class OptunaSweeper(sweeper.SearchSweeper):
    """`hydra/sweeper=optuna`."""
