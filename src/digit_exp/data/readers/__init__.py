"""Readers of images of one's own: folders of IDX files or pictures, and CSV files.

Each returns a `Dataset`; what was decoded is kept until the files change.
"""
