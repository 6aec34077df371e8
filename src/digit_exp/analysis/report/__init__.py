"""Results as text: tables and sections, written as HTML, Markdown or lines of a terminal.

Knows nothing of where results come from.
"""
