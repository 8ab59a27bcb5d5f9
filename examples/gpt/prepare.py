"""A text becomes arrays: python prepare.py TEXT [--context 64] [--validation 0.1]

Writes train.npz and validation.npz (the end of the text), each with x, windows of the text as the ids of their
characters, and y, the same windows one character later. TEXT may be compressed (.gz). The vocabulary is that of
gpt.toml.
"""

import argparse
import gzip
import tomllib
from pathlib import Path

import numpy as np
from modnet_text import encode


def main():
    parser = argparse.ArgumentParser(description="Makes train.npz and validation.npz of a text.")
    parser.add_argument("text", type=Path, help="a file in UTF-8, also .gz")
    parser.add_argument("--context", type=int, default=64, help="characters in a window")
    parser.add_argument("--validation", type=float, default=0.1, help="the fraction at the end that is held out")
    arguments = parser.parse_args()
    (vocabulary,) = tomllib.loads(Path("gpt.toml").read_text(encoding="utf-8"))["training"]["callbacks"]
    opened = gzip.open if arguments.text.suffix == ".gz" else open
    with opened(arguments.text, "rt", encoding="utf-8") as file:
        ids = encode(file.read(), vocabulary["characters"]).astype(np.uint16)
    end = int(len(ids) * (1 - arguments.validation))
    for name, part in (("train", ids[:end]), ("validation", ids[end:])):
        count = (len(part) - 1) // arguments.context
        size = count * arguments.context
        shape = (count, arguments.context)
        np.savez(f"{name}.npz", x=part[:size].reshape(shape), y=part[1 : size + 1].reshape(shape))
        print(f"{name}.npz: {count:,} windows of {arguments.context} characters")


if __name__ == "__main__":
    main()
