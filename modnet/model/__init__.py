"""The model file: reading and writing `.modnet`."""
