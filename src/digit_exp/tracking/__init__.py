"""What outlives a run in MLflow. The only room that imports it, and only when it is needed."""
