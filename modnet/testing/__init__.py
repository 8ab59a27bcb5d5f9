"""What the author of a component tests it with."""

from modnet.testing.gradients import directional_error, layer_context, layer_gradient_errors, layer_inputs

__all__ = ["directional_error", "layer_context", "layer_gradient_errors", "layer_inputs"]
