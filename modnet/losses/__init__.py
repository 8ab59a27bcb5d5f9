"""The built-in losses.

Each computes one value for each sample and the derivative of that value. Training takes the mean over a batch, with the
weights of samples and of classes: sum(w_i v_i) / sum(w_i), where w_i is the sample's own weight times
`sample_weights(target)[i]`.

Results have the dtype of the prediction; the dtype of the target does not matter.
"""

from typing import TYPE_CHECKING

from modnet.plugins.builtin import lazily

if TYPE_CHECKING:  # written by docs/generate.py
    from modnet.losses.classes import CrossEntropy as CrossEntropy
    from modnet.losses.classes import KLDivergence as KLDivergence
    from modnet.losses.elementwise import BinaryCrossEntropy as BinaryCrossEntropy
    from modnet.losses.elementwise import Hinge as Hinge
    from modnet.losses.elementwise import Huber as Huber
    from modnet.losses.elementwise import MeanAbsoluteError as MeanAbsoluteError
    from modnet.losses.elementwise import MeanSquaredError as MeanSquaredError
    from modnet.losses.elementwise import Poisson as Poisson
    from modnet.losses.focal import BinaryFocal as BinaryFocal
    from modnet.losses.focal import Focal as Focal
    from modnet.losses.last_axis import Cosine as Cosine
    from modnet.losses.quantile import Quantile as Quantile

__getattr__ = lazily(__name__)
