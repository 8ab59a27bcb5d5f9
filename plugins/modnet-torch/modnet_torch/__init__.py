"""PyTorch for modnet: weights of torch's modules into networks and back, safetensors files, networks as modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import modnet
from modnet_torch.files import read_weights
from modnet_torch.transfer import Transferred, WeightsMismatch, load_state_dict, state_dict

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Transferred", "WeightsMismatch", "export_torch", "load_state_dict", "read_weights", "state_dict"]


def export_torch(network: modnet.Network) -> nn.Module:
    """A module of torch that computes what a network computes, with its weights.

    Its sub-modules have the names of the nodes. It takes the network's inputs in order, images as (batch, channels,
    height, width), sequences as (batch, time, features); and gives a tensor, or for several outputs a dict. It is in
    the mode of evaluation: `.train()` before training it.

    Raises:
        DataError: a node has no counterpart; all of them are listed.
        MissingExtra: torch is not installed.
    """
    try:
        from modnet_torch.export import Exported  # not at the top: all else needs no torch
    except ImportError as error:
        raise modnet.MissingExtra("torch", "modnet-torch", extra="torch", purpose="export_torch") from error
    return Exported.of(network)
