"""The built-in losses.

Each gives one value for each sample and the derivative of that value. The mean over a batch, with the weights of
samples and of classes, is taken by training: sum(w_i v_i) / sum(w_i), where w_i is the sample's own weight times
`sample_weights(target)[i]`.

Results have the prediction's dtype, whatever the target's.
"""

from modnet.losses.classes import CrossEntropy, KLDivergence
from modnet.losses.elementwise import (
    BinaryCrossEntropy,
    ElementwiseLoss,
    Hinge,
    Huber,
    MeanAbsoluteError,
    MeanSquaredError,
    Poisson,
)
from modnet.losses.focal import BinaryFocal, Focal
from modnet.losses.last_axis import Cosine
from modnet.losses.quantile import Quantile

__all__ = [
    "BinaryCrossEntropy",
    "BinaryFocal",
    "Cosine",
    "CrossEntropy",
    "ElementwiseLoss",
    "Focal",
    "Hinge",
    "Huber",
    "KLDivergence",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Poisson",
    "Quantile",
]
