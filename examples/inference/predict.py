"""What digit is this? Needs modnet-core alone: numpy, pluggy, msgpack.

python predict.py digits.modnet seven.txt
"""

import sys

import numpy as np

import modnet

model, image = sys.argv[1:]
network = modnet.load(model)
pixels = np.loadtxt(image).reshape(1, 64)  # a batch of one image

(probabilities,) = network.forward(pixels)
digit = probabilities.argmax()
print(f"{image}: {digit} (probability {probabilities[digit]:.3f})")
