"""The model file: reading and writing `.modnet`."""

from modnet.model.load import load
from modnet.model.save import save

__all__ = ["load", "save"]
