"""What happens to the flat vectors of values and gradients: optimizers, schedules, regularizers."""
