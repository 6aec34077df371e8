"""What a run leaves beside its network: its evaluation, its figures, its summary.

Knows nothing of how the network is trained.
"""
