"""Weights from torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from modnet import DataError
from modnet.arrays import Array
from modnet.words import did_you_mean


def from_torch(
    state: Mapping[str, Any], *, number: int = 0, reverse: bool = False, prefix: str = ""
) -> dict[str, Array]:
    """The parameters of one rnn, lstm or gru from the state_dict of torch's RNN, LSTM or GRU.

    Weights are transposed. torch's two biases are added up, but for that of the GRU's product behind the reset gate,
    which is `bias_hidden`. Which of the three it is follows from the shapes.

    Args:
        state: name -> tensor or array.
        number: of the layer, in a torch module with `num_layers`.
        reverse: whether to take the weights of the direction from the last step to the first.
        prefix: what stands before torch's names, such as "encoder.".

    Returns:
        Parameter name -> array. To load it, take `{f"lstm_1.{name}": array for name, array in ...}` as the source of
        `modnet.load_parameters(network, source, strict=False)`.

    Raises:
        DataError: the weights are not there, or there is a projection, which these layers do not have.
    """
    suffix = f"_l{number}" + "_reverse" * reverse

    def find(name: str) -> Array:
        key = f"{prefix}{name}{suffix}"
        if key not in state:
            raise DataError(f"there is no {key}{did_you_mean(key, state)}")
        return np.asarray(state[key])

    if f"{prefix}weight_hr{suffix}" in state:
        raise DataError(f"{prefix}weight_hr{suffix}: layers with a projection (proj_size) are not supported")
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
