"""Commands that show runs and change nothing: list, show, compare, export, ui."""
