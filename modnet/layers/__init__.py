"""The core's layers."""

from modnet.layers.composite import Repeat, Residual
from modnet.layers.embedding import Embedding
from modnet.layers.linear import Linear
from modnet.layers.merge import Add, Concatenate, Multiply
from modnet.layers.noise import Dropout, GaussianNoise
from modnet.layers.norm import BatchNorm, LayerNorm, RMSNorm
from modnet.layers.pooling import GlobalAveragePool
from modnet.layers.shape import Flatten, Reshape
from modnet.layers.standardize import Standardize, Unstandardize

__all__ = [
    "Add",
    "BatchNorm",
    "Concatenate",
    "Dropout",
    "Embedding",
    "Flatten",
    "GaussianNoise",
    "GlobalAveragePool",
    "LayerNorm",
    "Linear",
    "Multiply",
    "RMSNorm",
    "Repeat",
    "Reshape",
    "Residual",
    "Standardize",
    "Unstandardize",
]
