"""The command line: what is typed and what is printed.

It parses, dispatches and reports errors; `runs` and `sweeps` do the work.
"""
