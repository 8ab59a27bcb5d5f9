"""New text from a trained model, character by character: python sample.py [MODEL] [--start "ROMEO:"] [--length 500]

The command `modnet sample` does the same with more options. `network.stream()` keeps the state of the lstm from one
character to the next, so that each costs one step.
"""

import argparse

import numpy as np

import modnet

parser = argparse.ArgumentParser()
parser.add_argument("model", nargs="?", default="characters.modnet")
parser.add_argument("--start", default="ROMEO:")
parser.add_argument("--length", type=int, default=500)
parser.add_argument("--seed", type=int, default=0)
arguments = parser.parse_args()

network = modnet.load(arguments.model)
vocabulary = network.card.metadata["vocabulary"]
rng = np.random.default_rng(arguments.seed)

print(arguments.start, end="")
stream = network.stream()
ids = [vocabulary.index(character) for character in arguments.start]
for _ in range(arguments.length):
    probabilities = stream.predict([ids])[0, -1].astype(float)
    ids = [rng.choice(len(vocabulary), p=probabilities / probabilities.sum())]
    print(vocabulary[ids[0]], end="")
print()
