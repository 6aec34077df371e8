"""The jobs of any Hydra application: recognised, pruned, searched and compared.

Nothing here knows of images, networks or the configuration of `digit-exp`.
"""
