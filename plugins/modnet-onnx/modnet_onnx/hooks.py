"""The hooks: `.onnx` files are written and read, each by its part of the package, imported for such a file alone."""
