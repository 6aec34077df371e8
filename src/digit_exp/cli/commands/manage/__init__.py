"""Commands that change finished runs or where they are kept: tag, note, rm, sync, promote."""
