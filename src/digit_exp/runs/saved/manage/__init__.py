"""What changes a finished run or where it is kept: tags and notes, trash, sync, promotion.

Knows nothing of how runs are shown.
"""
