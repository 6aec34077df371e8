"""What a command would train and for how long: `--dry-run`. Creates and changes nothing."""
