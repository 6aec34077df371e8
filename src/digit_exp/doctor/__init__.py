"""Checks of an installation and a machine: what is there, what is wrong, what to do.

Reads and tries out, and changes nothing. Knows nothing of how the findings are printed.
"""
