"""A run as one file: packed for somebody else, taken in as a run of another place, verified.

The commands are `digit-exp export RUN --to FILE.zip`, `import` and `verify`.
"""
