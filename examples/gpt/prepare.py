"""A text becomes arrays: python prepare.py TEXT [--context 64] [--validation 0.1]

Writes train.npz and validation.npz (the end of the text), each with x, windows of the text as the numbers of their
characters, and y, the same windows one character later; and characters.json, the characters in order.
"""

import argparse
import gzip
import json
from pathlib import Path

import numpy as np


def main():
    parser = argparse.ArgumentParser(description="Makes train.npz, validation.npz and characters.json of a text.")
    parser.add_argument("text", type=Path, help="a file in UTF-8, also .gz")
    parser.add_argument("--context", type=int, default=64, help="characters in a window")
    parser.add_argument("--validation", type=float, default=0.1, help="the fraction at the end that is held out")
    arguments = parser.parse_args()
    opened = gzip.open if arguments.text.suffix == ".gz" else open
    with opened(arguments.text, "rt", encoding="utf-8") as file:
        text = file.read()
    characters = sorted(set(text))
    number = {character: i for i, character in enumerate(characters)}
    codes = np.array([number[character] for character in text], np.uint16)
    end = int(len(codes) * (1 - arguments.validation))
    for name, part in (("train", codes[:end]), ("validation", codes[end:])):
        count = (len(part) - 1) // arguments.context
        size = count * arguments.context
        shape = (count, arguments.context)
        np.savez(f"{name}.npz", x=part[:size].reshape(shape), y=part[1 : size + 1].reshape(shape))
        print(f"{name}.npz: {count:,} windows of {arguments.context} characters")
    Path("characters.json").write_text(json.dumps(characters))
    print(f"characters.json: {len(characters)} characters (vocabulary_size and the last out_features in the spec)")


if __name__ == "__main__":
    main()
