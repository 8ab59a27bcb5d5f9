"""A text goes on: python sample.py [START] [--length 400] [--temperature 0.8] [--seed 0]

The network reads one character at a time: the stream keeps the keys and values of those before it. It has learnt from
windows of 64 characters and knows nothing of longer distances, so whenever it has read as many it begins anew with the
last half of them.
"""

import argparse
import json
from pathlib import Path

import numpy as np

import modnet


def main():
    parser = argparse.ArgumentParser(description="Lets gpt.modnet write.")
    parser.add_argument("start", nargs="?", default="\n", help="how the text begins")
    parser.add_argument("--length", type=int, default=400, help="characters to write")
    parser.add_argument("--temperature", type=float, default=0.8, help="below 1 likely characters become likelier")
    parser.add_argument("--context", type=int, default=64, help="the length of the windows that it has learnt from")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    characters = json.loads(Path("characters.json").read_text())
    network = modnet.load("gpt.modnet")
    rng = np.random.default_rng(arguments.seed)
    stream = network.stream()
    print(arguments.start, end="")
    text = [characters.index(character) for character in arguments.start]
    read = 0
    for _ in range(arguments.length):
        if not 0 < read < arguments.context:
            stream.reset()
            piece = text[-arguments.context // 2 :]
            read = 0
        probabilities = stream.predict(np.array([piece]))[0, -1].astype(float) ** (1 / arguments.temperature)
        read += len(piece)
        piece = [rng.choice(len(characters), p=probabilities / probabilities.sum())]
        text += piece
        print(characters[piece[0]], end="", flush=True)
    print()


if __name__ == "__main__":
    main()
