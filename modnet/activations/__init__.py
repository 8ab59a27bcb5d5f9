"""Activations, each with its derivative beside it.

All are numerically stable: no overflow and no nan for any |x| up to 1e4 in float32, in value or in derivative. At a
kink (relu at 0) the derivative is that from the left. Arrays keep their dtype.
"""

from typing import TYPE_CHECKING

from modnet.plugins.builtin import lazily

if TYPE_CHECKING:  # written by docs/generate.py
    from modnet.activations.gated import GELU as GELU
    from modnet.activations.gated import Mish as Mish
    from modnet.activations.gated import SiLU as SiLU
    from modnet.activations.rectified import ELU as ELU
    from modnet.activations.rectified import SELU as SELU
    from modnet.activations.rectified import HardSigmoid as HardSigmoid
    from modnet.activations.rectified import HardSwish as HardSwish
    from modnet.activations.rectified import Identity as Identity
    from modnet.activations.rectified import LeakyReLU as LeakyReLU
    from modnet.activations.rectified import PReLU as PReLU
    from modnet.activations.rectified import ReLU as ReLU
    from modnet.activations.sigmoid import Sigmoid as Sigmoid
    from modnet.activations.sigmoid import Softplus as Softplus
    from modnet.activations.sigmoid import Tanh as Tanh
    from modnet.activations.softmax import LogSoftmax as LogSoftmax
    from modnet.activations.softmax import Softmax as Softmax

__getattr__ = lazily(__name__)
