"""Which model file a network is: the id of the one that it was loaded from or saved to, as long as it is the same."""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import msgpack
import numpy as np

from modnet.engine.card import ModelCard
from modnet.engine.network import Network
from modnet.engine.parameters import FlatArray
from modnet.errors import WrongId
from modnet.model.container import NETWORK_GROUPS, Hashed, chunks, digest
from modnet.words import show

SHORTEST = 8
"""The fewest digits of an id that are taken for one."""


class Identity:
    """The id of a file that a network has just been loaded from or saved to.

    Called with the network it gives the id as text, or None if the network's arrays, nodes or card are not those of
    the file any more. Arrays can be changed at any time by anybody who has them, so this is found out by hashing them,
    but for those that cannot be changed.

    Args:
        id: 32 bytes.
        payloads: of the file.
    """

    def __init__(self, network: Network, id: bytes, payloads: Iterable[Hashed]) -> None:
        self._text = id.hex()
        self._payloads = [payload for payload in payloads if payload.group in NETWORK_GROUPS]
        self._card, self._graph = network.card, network.graph
        self._contents = _digest_of(network.card)

    def __call__(self, network: Network) -> str | None:
        same = network.card is self._card and network.graph is self._graph
        same = same and self._contents == _digest_of(network.card)
        return self._text if same and all(map(self._is_same, NETWORK_GROUPS, _arrays(network))) else None

    def _is_same(self, group: str, array: FlatArray) -> bool:
        """Whether the arrays of a group are those of the file."""
        if not any(flat.flags.writeable for flat in array.flats):
            return True
        start = 0
        for _, name, length, expected in (payload for payload in self._payloads if payload.group == group):
            dtype = np.dtype(name)
            part = array.flat[start : start + length // dtype.itemsize]
            stored = part.astype(dtype, copy=False)
            # A file may have its numbers in fewer bits than the network.
            if stored is not part and not np.array_equal(stored.astype(part.dtype), part, equal_nan=True):
                return False
            if digest(chunks(stored.view(np.uint8).data), length) != expected:
                return False
            start += part.size
        return True


def _arrays(network: Network) -> list[FlatArray]:
    return [getattr(network, group) for group in NETWORK_GROUPS]


def _digest_of(card: ModelCard) -> bytes | None:
    """A digest of what a program can change in a card without making another one; None if no file can hold it."""
    figures = getattr(card.history, "figures", card.history)
    try:
        packed: bytes = msgpack.packb((figures, card.metrics, card.results, card.metadata, card.data), default=_plain)
    except (TypeError, ValueError, OverflowError):
        return None
    return sha256(packed).digest()


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tobytes()
    raise TypeError


def check_id(text: str) -> None:
    """Raises ValueError if a text cannot be an id, or the beginning of one."""
    if not isinstance(text, str) or not re.fullmatch(rf"[0-9a-fA-F]{{{SHORTEST},64}}", text):
        what = f"expected {SHORTEST} to 64 hexadecimal digits, as modnet inspect shows them"
        raise ValueError(f"id: {what}; found {show(text)}")


def require_id(path: str, found: bytes, expected: str) -> None:
    """Checks the id of a file.

    Args:
        expected: as text; the first digits will do.

    Raises:
        ValueError: it is no id.
        WrongId: the id is different.
    """
    check_id(expected)
    if not found.hex().startswith(expected.lower()):
        raise WrongId(path, found.hex(), expected.lower())
