"""What an ONNX model says about itself: the table that it takes, as `metadata_props`."""

from __future__ import annotations

import json
from typing import Any

from modnet.engine.network import Network


def properties(network: Network, columns: bool) -> dict[str, str]:
    """Key -> text.

    `modnet.schema` is the schema of the table, as JSON in the form of the header of model files; `modnet.metadata` are
    the user's entries; `modnet.inputs` says whether the inputs are the columns, arrays that are encoded, or arrays.

    Args:
        columns: whether each input is a column of the table.
    """
    card = network.card
    found: dict[str, Any] = {}
    if card.schema is not None:
        found["modnet.schema"] = json.dumps(card.schema.to_plain(), ensure_ascii=False)
    if card.metadata:
        found["modnet.metadata"] = json.dumps(card.metadata, ensure_ascii=False, default=str)
    encoded = card.schema is not None and card.schema.inputs
    found["modnet.inputs"] = "columns" if columns else "encoded" if encoded else "arrays"
    return found
