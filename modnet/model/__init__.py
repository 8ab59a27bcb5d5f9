"""The model file: reading and writing `.modnet`."""

from modnet.model.model import load, save

__all__ = ["load", "save"]
