"""When a run of a sweep may stop early: the rules, and the callback that asks them.

Knows nothing of sweeps: it gets the metric histories of the other runs as plain numbers.
"""
