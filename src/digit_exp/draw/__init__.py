"""A local page on which one draws a digit and sees what networks read in it, and why."""
