"""A trained network as an MLflow model: logged, registered, served.

What is served imports nothing of this project.
"""
