"""Writes soft.npz: the digits, each with the probabilities of the teacher at a temperature.

python soften.py [TEMPERATURE]

A temperature T makes of probabilities p the softer ones p^(1/T) / sum(p^(1/T)): those of softmax(z / T) where p is that
of softmax(z). So they tell which other digits the teacher finds alike.
"""

import sys
from pathlib import Path

import numpy as np

temperature = float(sys.argv[1]) if len(sys.argv) > 1 else 4.0
folder = Path(__file__).parent
with np.load(folder / "../digits/digits.npz") as digits, np.load(folder / "probabilities.npz") as predicted:
    x, probabilities = digits["x"], predicted["output"]
soft = np.maximum(probabilities, 1e-30) ** (1 / temperature)
soft /= soft.sum(axis=1, keepdims=True)
np.savez(folder / "soft.npz", x=x, y=soft)
for title, row in (("teacher", probabilities[15]), (f"at temperature {temperature:g}", soft[15])):
    print(f"{title:18}", *(f"{p:.3f}" for p in row))
