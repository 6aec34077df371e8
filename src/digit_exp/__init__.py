"""Configuration-driven experiments on a neural network written from scratch in NumPy."""
