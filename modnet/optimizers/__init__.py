"""Optimizers. Defaults and variants are those of `torch.optim`; docstrings say where that is not so.

In the equations g is the gradient, theta the parameter, eta the learning rate, lambda the weight decay and t the step,
counted from 1. A moment that the literature defines as m = beta m + (1 - beta) g is kept without its constant factor,
M = beta M + g with m = (1 - beta) M: the factors, bias corrections and the learning rate then meet in one scalar for
each step, and a step takes fewer passes over memory.
"""

from modnet.optimizers.adaptive import AdaGrad, Adam, AdamW, NAdam, RMSProp
from modnet.optimizers.gradient import SGD, Lion
from modnet.optimizers.matrices import LAMB, Muon

__all__ = ["LAMB", "SGD", "AdaGrad", "Adam", "AdamW", "Lion", "Muon", "NAdam", "RMSProp"]
