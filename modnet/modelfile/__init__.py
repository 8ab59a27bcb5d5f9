"""The model file: reading and writing `.modnet`."""

from modnet.modelfile.model import load, save

__all__ = ["load", "save"]
