"""The network of characters.toml and the same in torch: same data, batches, optimizer and epochs, each its own start.

python compare.py [--epochs 8] [--seeds 3] [--stretches 15685]
"""

import argparse
import math
import statistics
import time
from pathlib import Path

import numpy as np
import torch

import modnet

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=8)
parser.add_argument("--seeds", type=int, default=3)
parser.add_argument("--stretches", type=int, help="take only the first ones")
arguments = parser.parse_args()

folder = Path(__file__).parent
spec, _ = modnet.read_spec(folder / "characters.toml", overrides={"training.epochs": arguments.epochs})
with np.load(folder / "train.npz") as train, np.load(folder / "validation.npz") as validation:
    x, y = (train[name][: arguments.stretches] for name in "xy")
    x_held_out, y_held_out = validation["x"], validation["y"]


def batches(seed):
    """A function that gives the batches of one epoch after the other, in an order of each epoch's own."""
    rng = np.random.default_rng(seed)

    def epoch():
        order = rng.permutation(len(x))
        for start in range(0, len(x), spec.training.batch_size):
            rows = order[start : start + spec.training.batch_size]
            yield x[rows], y[rows]

    return epoch


def run_modnet(seed):
    network = modnet.build(spec, seed=seed)
    modnet.train(network, batches(seed), steps_per_epoch=-(-len(x) // spec.training.batch_size), callbacks=[])
    return network.predict


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        embedding, lstm, linear = (node.layer for node in spec.network.layers[:3])
        self.embedding = torch.nn.Embedding(embedding.vocabulary_size, embedding.embedding_size)
        self.lstm = torch.nn.LSTM(embedding.embedding_size, lstm.hidden_size, batch_first=True)
        self.linear = torch.nn.Linear(lstm.hidden_size, linear.out_features)

    def forward(self, ids):
        return self.linear(self.lstm(self.embedding(ids))[0])

    @torch.no_grad()
    def predict(self, ids):
        return torch.softmax(self(torch.from_numpy(ids.astype(np.int64))), dim=-1).numpy()


def run_torch(seed):
    torch.manual_seed(seed)
    model = Model()
    optimizer = torch.optim.Adam(model.parameters(), lr=spec.training.optimizer.learning_rate)
    steps = arguments.epochs * -(-len(x) // spec.training.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    epoch = batches(seed)
    for _ in range(arguments.epochs):
        for ids, following in epoch():
            optimizer.zero_grad()
            logits = model(torch.from_numpy(ids.astype(np.int64)))
            torch.nn.functional.cross_entropy(logits.mT, torch.from_numpy(following.astype(np.int64))).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), spec.training.gradient_clipping)
            optimizer.step()
            schedule.step()
    return model.predict


def bits_per_character(predict):
    probabilities = predict(x_held_out)
    chosen = np.take_along_axis(probabilities, y_held_out.astype(np.int64)[..., None], axis=-1)
    return -float(np.log(chosen).mean()) / math.log(2)


figures = {"modnet": [], "torch": []}
for seed in range(arguments.seeds):
    for name, run in {"modnet": run_modnet, "torch": run_torch}.items():
        start = time.perf_counter()
        predict = run(seed)
        seconds = time.perf_counter() - start
        figures[name].append(bits_per_character(predict))
        print(f"seed {seed}  {name:6}  {figures[name][-1]:.4f} bits per character  {seconds:.0f} s", flush=True)
for name, bits in figures.items():
    print(f"mean    {name:6}  {statistics.mean(bits):.4f} ({min(bits):.4f} to {max(bits):.4f})")
