"""The commands beside training, one module each: its options, and what it prints.

They import what does the work only when they run, so that `--help` answers at once.
"""
