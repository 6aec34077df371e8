"""The network: arrays in, arrays out, and nothing known of files, optimizers or configuration."""
