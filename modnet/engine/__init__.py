"""The engine: from a checked network to numbers and their gradients."""
