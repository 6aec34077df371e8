"""An MLflow run made equal to the folder of a run: compared, and what is missing is sent.

Gets the content of a folder as `RunContents`; knows nothing of how the folder is written.
"""
