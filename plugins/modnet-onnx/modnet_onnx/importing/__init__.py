"""ONNX graphs as networks of modnet."""
