"""How Hydra composes a configuration here: its loader, its own settings, what files may say.

Knows nothing of what a value means.
"""
