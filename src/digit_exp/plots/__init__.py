"""Figures of a run: arrays and history in, `matplotlib.figure.Figure` out. Nothing else draws."""
