"""Whether a network has learnt from rows on which it is to be measured."""

from __future__ import annotations

from collections.abc import Mapping

from modnet.datasets.dataset import Dataset, rows_in
from modnet.engine.network import Network
from modnet.training.run import CARD_ROWS
from modnet.words import counted


def was_trained_on(network: Network, data: Dataset, some: bool = False) -> bool:
    """Whether a network was trained on just these rows in this order, as far as some of them tell.

    Args:
        some: whether a part of them is enough. Only arrays are checked, whose parts share them.
    """
    found = {f"training {name}": text for name, text in data.batches(1).fingerprint(CARD_ROWS).items()}
    known = {name: text for name, text in network.card.data.items() if name.startswith("training ")}
    for names in (found, known) if some else ():
        names.pop("training choice of rows", None)
    return found == known


def doubts_about_rows(network: Network, data: Dataset) -> list[str]:
    """A line if figures of a network on these rows may be too good, as it may have learnt from them; none otherwise."""
    too_good = "looks better here than it is; use other rows"
    if was_trained_on(network, data):
        return [f"the network was trained on exactly these rows, and {too_good}"]
    if was_trained_on(network, data, some=True):
        return [f"the network was trained on some of these rows, and {too_good}"]
    trained, validated = (_rows_of(network.card.data, part) for part in ("training", "validation"))
    if validated and trained + validated == len(data):
        counts = f"trained on {counted(trained, 'row')} and validated on {validated:,}"
        return [f"the network was {counts}, together as many as here; if these are the same rows, it {too_good}"]
    return []


def _rows_of(data: Mapping[str, str], part: str) -> int:
    """How many rows a part of the data of a training had, from their fingerprints."""
    return rows_in(data.get(f"{part} choice of rows") or data.get(f"{part} input", ""))
