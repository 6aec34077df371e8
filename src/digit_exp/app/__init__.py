"""The shell around a run: configuration, the recipe of an experiment, the command line."""
