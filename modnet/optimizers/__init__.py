"""Optimizers. Defaults and variants are those of `torch.optim`, unless a docstring says otherwise.

In the equations g is the gradient, theta the parameter, eta the learning rate, lambda the weight decay and t the step,
counted from 1. A moment that the literature defines as m = beta m + (1 - beta) g is stored without its constant factor,
M = beta M + g with m = (1 - beta) M: the factors, the bias corrections and the learning rate are then combined in one
number for each step, and a step takes fewer passes over memory.
"""

from typing import TYPE_CHECKING

from modnet.plugins.builtin import lazily

if TYPE_CHECKING:  # written by docs/generate.py
    from modnet.optimizers.adaptive import AdaGrad as AdaGrad
    from modnet.optimizers.adaptive import Adam as Adam
    from modnet.optimizers.adaptive import AdamW as AdamW
    from modnet.optimizers.adaptive import NAdam as NAdam
    from modnet.optimizers.adaptive import RMSProp as RMSProp
    from modnet.optimizers.gradient import SGD as SGD
    from modnet.optimizers.gradient import Lion as Lion
    from modnet.optimizers.matrices import LAMB as LAMB
    from modnet.optimizers.matrices import Muon as Muon

__getattr__ = lazily(__name__)
