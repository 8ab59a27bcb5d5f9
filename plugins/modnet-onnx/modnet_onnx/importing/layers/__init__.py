"""What ONNX has and modnet's other layers do not: arithmetic of values, products of values, axes, reductions."""
