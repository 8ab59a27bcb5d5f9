"""Text by character for modnet: the vocabulary that ids stand for, and new text from a trained network."""

from modnet_text.text import Vocabulary, encode, sample

__all__ = ["Vocabulary", "encode", "sample"]
