"""Many runs as one: their parent, their identity, their statistics and report."""
