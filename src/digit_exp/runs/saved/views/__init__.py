"""What is shown of runs and sweeps: the table, the details, the page in MLflow.

Reads runs and changes nothing.
"""
