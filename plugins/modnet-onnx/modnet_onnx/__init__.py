"""ONNX for modnet: networks into `.onnx` files and out of them, and onnxruntime as an engine."""
