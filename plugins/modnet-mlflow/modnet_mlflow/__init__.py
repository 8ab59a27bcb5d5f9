"""MLflow for modnet."""
