"""The only mutable part of a run: state, trainer, callbacks, checkpoints."""
