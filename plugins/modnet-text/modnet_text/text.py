"""Text, character by character: the vocabulary that ids stand for, and new text from a trained network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from modnet import Callback, DataError, Network, ShapeError
from modnet.arrays import Array
from modnet.words import show


class Vocabulary(Callback, type="vocabulary"):
    """Stores in the model file which character each id stands for, as `vocabulary` in its metadata.

    Attributes:
        characters: the character number 0, 1, ... of the vocabulary.
    """

    characters: str

    def check(self) -> None:
        if not self.characters or len(set(self.characters)) < len(self.characters):
            raise ValueError("expected characters that are all different, at least one")

    def modnet_training_started(self, run: Any) -> None:
        run.network.card.metadata["vocabulary"] = self.characters


def encode(text: str, vocabulary: str) -> Array:
    """The ids of a text's characters.

    Raises:
        DataError: a character is not in the vocabulary.
    """
    ids = {character: number for number, character in enumerate(vocabulary)}
    unknown = sorted(set(text) - set(ids))
    if unknown:
        raise DataError(f"the vocabulary does not have {', '.join(map(show, unknown))}; it is {show(vocabulary)}")
    return np.array([ids[character] for character in text], np.intp)


def sample(
    network: Network,
    start: str,
    length: int,
    *,
    temperature: float = 1.0,
    context: int | None = None,
    seed: int = 0,
) -> Iterator[str]:
    """Characters that may follow a text, each drawn with the probability that the network gives it.

    Args:
        network: reads ids (time,) and gives probabilities (time, vocabulary); its metadata has the vocabulary.
        start: the text before them, at least one character.
        length: how many.
        temperature: below 1 likely characters become more likely; 0 takes the likeliest.
        context: how many characters the network has learned to look back at, at least 2: whenever it has read as many,
            it starts again with the last half of them. None for no limit.
        seed: of the drawing.

    Raises:
        DataError: the network has no vocabulary, `start` is empty or has characters that are not in it, or what the
            network gives are no probabilities.
        ShapeError: the network does not read sequences piece by piece, or does not give probabilities for characters.
    """
    vocabulary = network.card.metadata.get("vocabulary")
    if not isinstance(vocabulary, str):
        raise DataError(
            'the model has no vocabulary; train it with the callback { type = "vocabulary", characters = "..." }'
        )
    if not start:
        raise DataError("start is empty; expected at least one character")
    if not temperature >= 0:
        raise DataError(f"temperature: expected a number >= 0, found {temperature}")
    shapes = list(network.outputs.values())
    if shapes != [(None, len(vocabulary))]:
        expected = f"(time, {len(vocabulary)}), for the characters of the vocabulary"
        raise ShapeError(f"expected one output of shape {expected}; found {shapes}")
    ids = encode(start, vocabulary)
    return _draw(network, ids, vocabulary, length, temperature, context, np.random.default_rng(seed))


def _draw(
    network: Network,
    ids: Array,
    vocabulary: str,
    length: int,
    temperature: float,
    context: int | None,
    rng: np.random.Generator,
) -> Iterator[str]:
    stream = network.stream()
    piece, read = ids, 0
    for _ in range(length):
        if context is not None and read + len(piece) > context:
            stream.reset()
            piece, read = ids[-(context // 2) :], 0
        probabilities = stream.predict(piece[None])[0, -1].astype(float)
        read += len(piece)
        if not (probabilities.min() >= 0 and abs(probabilities.sum() - 1) <= 0.01):
            found = f"{probabilities.min():g} to {probabilities.max():g}, in all {probabilities.sum():g}"
            raise DataError(
                f"the network gives no probabilities: expected numbers >= 0 whose sum is 1, found {found}; "
                "end it with softmax"
            )
        if temperature == 0:
            drawn = int(probabilities.argmax())
        else:
            weights = (probabilities / probabilities.max()) ** (1 / temperature)
            drawn = int(rng.choice(len(weights), p=weights / weights.sum()))
        yield vocabulary[drawn]
        piece = np.array([drawn])
        ids = np.concatenate([ids, piece])[-context:] if context is not None else piece
