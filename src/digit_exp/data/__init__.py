"""Where batches come from: sources, files, splits, augmentations."""
