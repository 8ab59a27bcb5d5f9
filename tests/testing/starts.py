"""What the broken and the unusual layers begin with: the shapes that they take, and nothing else."""

from modnet import Layer, ShapeError


class OnAnything(Layer):
    """Samples of any shape; the output has that of the first input."""

    def output_shape(self, *input_shapes):
        return input_shapes[0]


class OnLastAxis(Layer):
    """Samples of shape (..., features), and the output has it too."""

    def output_shape(self, *input_shapes):
        (shape,) = input_shapes
        if not shape or shape[-1] is None:
            raise ShapeError("expects a last axis of fixed size")
        return shape


class OnFeatures(Layer):
    """Samples of shape (features,), and the output has it too."""

    def output_shape(self, *input_shapes):
        (shape,) = input_shapes
        if len(shape) != 1 or shape[0] is None:
            raise ShapeError("expects samples of shape (features,)")
        return shape


class OnSequences(Layer):
    """Samples of shape (time, features), and the output has it too."""

    def output_shape(self, *input_shapes):
        (shape,) = input_shapes
        if len(shape) != 2:
            raise ShapeError("expects samples of shape (time, features)")
        return shape
