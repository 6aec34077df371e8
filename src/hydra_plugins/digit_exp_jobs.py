"""Where Hydra finds the sweepers for any application, in the namespace in which it looks.

Hydra imports this whenever it starts, so nothing slow may be imported here.
"""

from digit_exp.jobs import sweepers

sweepers.register()


class SearchOfJobs(sweepers.Search):
    """`hydra/sweeper=digit_exp_search`."""


class GridOfJobs(sweepers.Grid):
    """`hydra/sweeper=digit_exp_grid`."""
