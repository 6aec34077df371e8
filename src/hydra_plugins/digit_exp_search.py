"""Where Hydra finds the search: it takes sweepers from the namespace `hydra_plugins` only.

Hydra imports this whenever it starts, so nothing slow may be imported here.
"""

from digit_exp.sweep import search

search.register()


class OptunaSweeper(search.SearchSweeper):
    """`hydra/sweeper=optuna`."""
