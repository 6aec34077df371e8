"""Many runs: planned, started, recognised when they were done before, ranked at the end.

Knows nothing of the inside of a training; each job is a run of `runs`.
"""
