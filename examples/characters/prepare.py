"""The ids of a text's characters in stretches of 64, each with the ids one character later: train.npz, validation.npz.

python prepare.py TEXT [--stretch 64] [--held-out 0.1]

TEXT may be compressed (.gz). The end of it is held out. The vocabulary is that of characters.toml.
"""

import argparse
import gzip
import tomllib
from pathlib import Path

import numpy as np
from modnet_text import encode

parser = argparse.ArgumentParser()
parser.add_argument("text", type=Path)
parser.add_argument("--stretch", type=int, default=64)
parser.add_argument("--held-out", type=float, default=0.1)
arguments = parser.parse_args()

folder = Path(__file__).parent
(vocabulary,) = tomllib.loads((folder / "characters.toml").read_text())["training"]["callbacks"]
opened = gzip.open if arguments.text.suffix == ".gz" else open
with opened(arguments.text, "rt", encoding="utf-8") as file:
    ids = encode(file.read(), vocabulary["characters"])
border = round(len(ids) * (1 - arguments.held_out))
for name, part in (("train", ids[:border]), ("validation", ids[border:])):
    count = (len(part) - 1) // arguments.stretch
    x, y = (part[start : start + count * arguments.stretch].reshape(count, -1) for start in (0, 1))
    np.savez_compressed(folder / f"{name}.npz", x=x.astype(np.uint8), y=y.astype(np.uint8))
    print(f"{name}.npz  {count} stretches of {arguments.stretch} characters")
