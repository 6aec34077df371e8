"""The network: arrays in, arrays out. It knows nothing of data files, optimizers or configuration."""
