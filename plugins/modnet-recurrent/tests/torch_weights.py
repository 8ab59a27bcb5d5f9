"""Weights of torch's recurrent modules for the layers here, one layer and direction at a time.

For the comparisons alone: modnet-torch reads and writes whole models.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from modnet.arrays import Array


def from_torch(
    state: Mapping[str, Any], *, number: int = 0, reverse: bool = False, prefix: str = ""
) -> dict[str, Array]:
    """Parameter name -> array of one rnn, lstm or gru, from the state_dict of torch's RNN, LSTM or GRU.

    Weights are transposed. torch's two biases are added up, but for that of the GRU's product behind the reset gate,
    which is `bias_hidden`.
    """
    suffix = f"_l{number}" + "_reverse" * reverse

    def find(name: str) -> Array:
        return np.asarray(state[f"{prefix}{name}{suffix}"])

    found = {"weight_input": find("weight_ih").T.copy(), "weight_hidden": find("weight_hh").T.copy()}
    if f"{prefix}bias_ih{suffix}" in state:
        found["bias"] = find("bias_ih").copy()
        of_product = find("bias_hh")
        size, columns = found["weight_hidden"].shape
        shared = 2 * size if columns == 3 * size else columns
        found["bias"][:shared] += of_product[:shared]
        if shared < columns:
            found["bias_hidden"] = of_product[shared:].copy()
    return found
