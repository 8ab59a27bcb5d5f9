"""Initializers of parameters.

Random numbers are drawn in float64 and then rounded to the parameter's dtype, so that a float32 and a float64 network
with the same seed start from the same values, up to rounding.

The variance-scaling family keeps the variance of signals from layer to layer. Its normal variants draw from the plain
normal distribution, as torch does; Keras truncates it at two standard deviations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from modnet.arrays import Array
from modnet.configuration.fields import field
from modnet.errors import ShapeError
from modnet.kinds.component import Example
from modnet.kinds.initializer import Initializer

__all__ = [
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "LecunNormal",
    "LecunUniform",
    "Normal",
    "Ones",
    "Orthogonal",
    "TruncatedNormal",
    "Uniform",
    "Zeros",
]


class Zeros(Initializer, type="zeros"):
    """All 0."""

    def initialize(self, out: Array, fan_in: int, fan_out: int, rng: np.random.Generator) -> None:
        out[...] = 0


class Ones(Initializer, type="ones"):
    """All 1."""

    def initialize(self, out: Array, fan_in: int, fan_out: int, rng: np.random.Generator) -> None:
        out[...] = 1


class Constant(Initializer, type="constant"):
    """All `value`.

    Attributes:
        value: the number.
    """

    value: float

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example(cls(value=0.5)),)

    def initialize(self, out: Array, fan_in: int, fan_out: int, rng: np.random.Generator) -> None:
        out[...] = self.value


class Normal(Initializer, type="normal"):
    """Normally distributed.

    Attributes:
        mean, standard_deviation: of the distribution.
    """

    mean: float = 0.0
    standard_deviation: float = field(default=0.05, minimum=0.0)

    def initialize(self, out: Array, fan_in: int, fan_out: int, rng: np.random.Generator) -> None:
        out[...] = rng.normal(self.mean, self.standard_deviation, out.shape)


class TruncatedNormal(Initializer, type="truncated_normal"):
    """Normally distributed within two standard deviations of the mean; numbers outside are drawn again.

    `standard_deviation` is that before the truncation; that of the result is 0.880 times as large.

    Attributes:
        mean, standard_deviation: of the distribution before it is cut off.
    """

    mean: float = 0.0
    standard_deviation: float = field(default=0.05, minimum=0.0)

    def initialize(self, out: Array, fan_in: int, fan_out: int, rng: np.random.Generator) -> None:
        deviations = rng.standard_normal(out.size)
        while (outside := np.flatnonzero(np.abs(deviations) > 2)).size:
            deviations[outside] = rng.standard_normal(outside.size)
        out[...] = (self.mean + self.standard_deviation * deviations).reshape(out.shape)


class Uniform(Initializer, type="uniform"):
    """Uniformly distributed between `minimum` and `maximum`.

    Attributes:
        minimum: the lower end of the interval.
        maximum: its upper end.
    """

    minimum: float = -0.05
    maximum: float = 0.05

    def check(self) -> None:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum = {self.minimum:g} is greater than maximum = {self.maximum:g}")

    def initialize(self, out: Array, fan_in: int, fan_out: int, rng: np.random.Generator) -> None:
        out[...] = rng.uniform(self.minimum, self.maximum, out.shape)


class LecunNormal(Initializer, type="lecun_normal"):
    """Normal with variance 1 / fan_in, which keeps the variance through linear and selu layers.

    Source: LeCun et al. 1998, "Efficient BackProp", section 4.6.
    """

    def initialize(self, out: Array, fan_in: int, fan_out: int, rng: np.random.Generator) -> None:
        fill_normal(out, 1 / fan_in, rng)


class LecunUniform(Initializer, type="lecun_uniform"):
    """Uniform with variance 1 / fan_in: between -sqrt(3 / fan_in) and sqrt(3 / fan_in).

    Source: as `lecun_normal`. (torch's default for its layers is a third of this variance.)
    """

    def initialize(self, out: Array, fan_in: int, fan_out: int, rng: np.random.Generator) -> None:
        fill_uniform(out, 1 / fan_in, rng)


class GlorotNormal(Initializer, type="glorot_normal"):
    """Normal with variance 2 / (fan_in + fan_out), for tanh and sigmoid layers; also called Xavier.

    Source: Glorot and Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks",
    equation 12.
    """

    def initialize(self, out: Array, fan_in: int, fan_out: int, rng: np.random.Generator) -> None:
        fill_normal(out, 2 / (fan_in + fan_out), rng)


class GlorotUniform(Initializer, type="glorot_uniform"):
    """Uniform with variance 2 / (fan_in + fan_out): up to sqrt(6 / (fan_in + fan_out)) on both sides of 0.

    Source: as `glorot_normal`, equation 16.
    """

    def initialize(self, out: Array, fan_in: int, fan_out: int, rng: np.random.Generator) -> None:
        fill_uniform(out, 2 / (fan_in + fan_out), rng)


class HeNormal(Initializer, type="he_normal"):
    """Normal with variance 2 / fan_in, which compensates for the half that relu cuts off; also called Kaiming.

    Source: He et al. 2015, arXiv:1502.01852, equation 10.
    """

    def initialize(self, out: Array, fan_in: int, fan_out: int, rng: np.random.Generator) -> None:
        fill_normal(out, 2 / fan_in, rng)


class HeUniform(Initializer, type="he_uniform"):
    """Uniform with variance 2 / fan_in: between -sqrt(6 / fan_in) and sqrt(6 / fan_in).

    Source: as `he_normal`.
    """

    def initialize(self, out: Array, fan_in: int, fan_out: int, rng: np.random.Generator) -> None:
        fill_uniform(out, 2 / fan_in, rng)


def fill_normal(out: Array, variance: float, rng: np.random.Generator) -> None:
    """Normal numbers around 0."""
    out[...] = rng.normal(0.0, math.sqrt(variance), out.shape)


def fill_uniform(out: Array, variance: float, rng: np.random.Generator) -> None:
    """Uniform numbers around 0."""
    bound = math.sqrt(3 * variance)
    out[...] = rng.uniform(-bound, bound, out.shape)


class Orthogonal(Initializer, type="orthogonal"):
    """A uniformly distributed random orthogonal matrix times `gain`.

    All axes but the last are joined as rows. The columns are orthogonal, each of length `gain`; if there are more
    columns than rows, the rows are. Needs an array with at least two axes.

    Source: Saxe, McClelland and Ganguli 2014, arXiv:1312.6120; the distribution is uniform only if signs make the QR
    decomposition unique: Mezzadri 2007, arXiv:math-ph/0609050, section 5.

    Attributes:
        gain: the length of each column.

    Raises:
        ShapeError: from `initialize`, for an array with fewer than two axes.
    """

    gain: float = 1.0

    def initialize(self, out: Array, fan_in: int, fan_out: int, rng: np.random.Generator) -> None:
        if out.ndim < 2:
            raise ShapeError(
                f"orthogonal expects a parameter with at least two axes, found shape {out.shape}",
                'use another initializer for it, such as "zeros"',
            )
        columns = out.shape[-1]
        rows = out.size // columns if columns else 0
        q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
        # LAPACK leaves the signs of the columns open; Mezzadri's choice makes the diagonal of r positive.
        q *= self.gain * np.copysign(1.0, np.diagonal(r))
        out[...] = (q if rows >= columns else q.T).reshape(out.shape)
