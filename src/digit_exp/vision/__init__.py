"""Reads a digit in a picture: decoding, segmentation, normalisation, classification.

It imports nothing of the project, because each served model carries a copy of it.
"""
