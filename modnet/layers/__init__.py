"""The core's layers."""

from typing import TYPE_CHECKING

from modnet.plugins.builtin import lazily

if TYPE_CHECKING:  # written by docs/generate.py
    from modnet.layers.composite import Repeat as Repeat
    from modnet.layers.composite import Residual as Residual
    from modnet.layers.embedding import Embedding as Embedding
    from modnet.layers.linear import Linear as Linear
    from modnet.layers.members import EnsembleMean as EnsembleMean
    from modnet.layers.members import PerMember as PerMember
    from modnet.layers.merge import Add as Add
    from modnet.layers.merge import Concatenate as Concatenate
    from modnet.layers.merge import Multiply as Multiply
    from modnet.layers.noise import Dropout as Dropout
    from modnet.layers.noise import GaussianNoise as GaussianNoise
    from modnet.layers.norm import BatchNorm as BatchNorm
    from modnet.layers.norm import LayerNorm as LayerNorm
    from modnet.layers.norm import RMSNorm as RMSNorm
    from modnet.layers.piecewise import PiecewiseEncoding as PiecewiseEncoding
    from modnet.layers.pooling import GlobalAveragePool as GlobalAveragePool
    from modnet.layers.shape import Flatten as Flatten
    from modnet.layers.shape import Reshape as Reshape
    from modnet.layers.shape import Slice as Slice
    from modnet.layers.standardize import Standardize as Standardize
    from modnet.layers.standardize import Unstandardize as Unstandardize
    from modnet.layers.temperature import Temperature as Temperature


__getattr__ = lazily(__name__)
