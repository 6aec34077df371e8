"""Reads digits in pictures, with NumPy and Pillow alone: each served model carries a copy of it."""
