"""A layer for `--plugin`: Fourier features of coordinates."""

import math

import numpy as np

from modnet import Layer, Parameter, ShapeError, field
from modnet.initializers import Normal


class FourierFeatures(Layer, type="fourier_features"):
    """Waves of random directions and frequencies: y = [cos(2 pi x B), sin(2 pi x B)], with B drawn from N(0, scale**2).

    B is never trained. Shapes: (coordinates,) -> (2 * waves,).

    Source: Tancik et al. 2020, "Fourier features let networks learn high frequency functions in low dimensional
    domains", arXiv:2006.10739, section 6.1 ("Gaussian").

    Attributes:
        waves: how many.
        scale: the standard deviation of their frequencies, in waves for each unit of a coordinate.

    Raises:
        ShapeError: samples that are not vectors.
    """

    output_range = (-1.0, 1.0)
    waves: int = field(default=128, minimum=1)
    scale: float = field(default=10.0, above=0.0)

    def parameters(self, *input_shapes):
        frequency = Normal(standard_deviation=self.scale)
        return {"frequency": Parameter((input_shapes[0][0], self.waves), frequency, trainable=False)}

    def output_shape(self, *input_shapes):
        (shape,) = input_shapes
        if len(shape) != 1 or shape[0] is None:
            raise ShapeError("expects samples of shape (coordinates,)")
        return (2 * self.waves,)

    def forward(self, context, x):
        y = context.buffer((len(x), 2 * self.waves))
        cosine, sine = y[:, : self.waves], y[:, self.waves :]
        np.matmul(x, context.params["frequency"], out=sine)
        sine *= 2 * math.pi
        np.cos(sine, out=cosine)
        np.sin(sine, out=sine)
        context.save(y)
        return y

    def backward(self, context, gradient):
        # The derivative of the phase: cos' = -sin, sin' = cos.
        (y,) = context.saved
        cosine, sine = y[:, : self.waves], y[:, self.waves :]
        slope, work = context.buffer(cosine.shape), context.buffer(cosine.shape)
        np.multiply(gradient[:, self.waves :], cosine, out=slope)
        slope -= np.multiply(gradient[:, : self.waves], sine, out=work)
        frequency = context.params["frequency"]
        result = np.matmul(slope, frequency.T, out=context.buffer((len(y), len(frequency))))
        result *= 2 * math.pi
        return result
