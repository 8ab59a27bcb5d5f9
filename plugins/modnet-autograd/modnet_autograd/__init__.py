"""Layers and losses of which only the formula is written, with `autograd.numpy` in place of numpy.

The gradient is taken by HIPS autograd (Maclaurin 2016, "Modeling, inference and optimization with composable
differentiable procedures", chapter 4), which records the operations of each pass and goes back through them. That costs
memory and time in every pass: this is for trying an idea. Once it is worth keeping, write its `backward`.
"""

from modnet_autograd.layers import AutogradLayer
from modnet_autograd.losses import AutogradLoss

__all__ = ["AutogradLayer", "AutogradLoss"]
