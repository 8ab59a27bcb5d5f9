"""The core's layers. Each is imported when it is first asked for: a model of two layers pays for two."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from modnet.plugins.builtin import BUILTIN

if TYPE_CHECKING:
    from modnet.layers.composite import Repeat as Repeat
    from modnet.layers.composite import Residual as Residual
    from modnet.layers.embedding import Embedding as Embedding
    from modnet.layers.linear import Linear as Linear
    from modnet.layers.merge import Add as Add
    from modnet.layers.merge import Concatenate as Concatenate
    from modnet.layers.merge import Multiply as Multiply
    from modnet.layers.noise import Dropout as Dropout
    from modnet.layers.noise import GaussianNoise as GaussianNoise
    from modnet.layers.norm import BatchNorm as BatchNorm
    from modnet.layers.norm import LayerNorm as LayerNorm
    from modnet.layers.norm import RMSNorm as RMSNorm
    from modnet.layers.pooling import GlobalAveragePool as GlobalAveragePool
    from modnet.layers.shape import Flatten as Flatten
    from modnet.layers.shape import Reshape as Reshape
    from modnet.layers.shape import Slice as Slice
    from modnet.layers.standardize import Standardize as Standardize
    from modnet.layers.standardize import Unstandardize as Unstandardize


def __getattr__(name: str) -> Any:
    for value in BUILTIN[__name__].values():
        module, _, cls = value.partition(":")
        if cls == name:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
