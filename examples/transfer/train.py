"""Trains the head of transfer.toml on the weights of the torch model: transfer.modnet.

python train.py
"""

from modnet_torch import load_state_dict

import modnet

network = modnet.build("transfer.toml")
print(load_state_dict(network, "pretrained.safetensors", strict=False))  # not strict: the head is not in the file
modnet.train(network)
modnet.save(network, "transfer.modnet")
