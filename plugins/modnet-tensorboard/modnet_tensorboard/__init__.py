"""TensorBoard for modnet."""
