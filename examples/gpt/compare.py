"""The same training in PyTorch: python compare.py [--seeds 0 1 2] [--epochs 4] [--windows N]

The network of gpt.toml and its twin in torch begin with the same weights and see the same batches in the same order.
Prints the validation loss of both (nats a character) and the seconds that each took.
"""

import argparse
import time

import numpy as np
import torch
from torch.nn import functional

import modnet
from modnet.kinds.schedule import Progress

BLOCK = "repeat_1.{}.transformer_block_1."


def turned(x, base=10_000.0):
    """Rotary positions of x (batch, heads, time, size)."""
    half = x.shape[-1] // 2
    frequencies = base ** (-torch.arange(half) / half)
    angles = torch.arange(x.shape[2])[:, None] * frequencies
    cos, sin = angles.cos(), angles.sin()
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


class Twin(torch.nn.Module):
    """The network of gpt.toml, up to the logits; parameters are called and shaped as there."""

    def __init__(self, network, heads=4):
        super().__init__()
        self.names = {name: name.replace(".", "-") for name in network.parameters}
        self.weights = torch.nn.ParameterDict(
            {self.names[name]: torch.from_numpy(array.copy()) for name, array in network.parameters.items()}
        )
        self.heads = heads
        self.blocks = sum(name.endswith("query_key_value_weight") for name in self.names)

    def of(self, name):
        return self.weights[self.names[name]]

    def norm(self, x, name):
        return functional.layer_norm(x, x.shape[-1:], self.of(f"{name}.scale"), self.of(f"{name}.shift"))

    def forward(self, ids):
        x = functional.embedding(ids, self.of("embedding_1.weight"))
        for number in range(1, self.blocks + 1):
            block = BLOCK.format(number)
            attention = block + "attention.multi_head_attention_1."
            hidden = self.norm(x, block + "attention.layer_norm_1") @ self.of(attention + "query_key_value_weight")
            q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in hidden.chunk(3, -1))
            mixed = functional.scaled_dot_product_attention(turned(q), turned(k), v, is_causal=True)
            x = x + mixed.transpose(1, 2).flatten(2) @ self.of(attention + "output_weight")
            feed_forward = block + "feed_forward.feed_forward_1."
            hidden = self.norm(x, block + "feed_forward.layer_norm_1") @ self.of(feed_forward + "hidden.weight")
            x = x + functional.gelu(hidden) @ self.of(feed_forward + "output.weight")
        return self.norm(x, "layer_norm_1") @ self.of("linear_1.weight") + self.of("linear_1.bias")


def batches(x, y, size, seed, epoch):
    order = np.random.default_rng((seed, epoch)).permutation(len(x))
    for start in range(0, len(x), size):
        chosen = order[start : start + size]
        yield x[chosen], y[chosen]


def train_modnet(network, data, seed, epochs, size):
    epoch = iter(range(epochs))
    started = time.perf_counter()
    modnet.train(
        network,
        lambda: batches(*data, size, seed, next(epoch)),
        epochs=epochs,
        metrics=[],
        callbacks=[],
        steps_per_epoch=-(-len(data[0]) // size),
    )
    return time.perf_counter() - started


def train_torch(twin, training, data, seed, epochs, size):
    steps = -(-len(data[0]) // size)
    optimizer = torch.optim.Adam(twin.parameters(), lr=training.optimizer.learning_rate)
    started = time.perf_counter()
    for epoch in range(epochs):
        for step, (x, y) in enumerate(batches(*data, size, seed, epoch)):
            factor = training.schedule.factor(Progress(epoch + step / steps, epochs, {}))
            optimizer.param_groups[0]["lr"] = training.optimizer.learning_rate * factor
            optimizer.zero_grad()
            logits = twin(torch.from_numpy(x.astype(np.int64)))
            functional.cross_entropy(logits.flatten(0, 1), torch.from_numpy(y.astype(np.int64)).flatten()).backward()
            torch.nn.utils.clip_grad_norm_(twin.parameters(), training.gradient_clipping)
            optimizer.step()
    return time.perf_counter() - started


def loss_of_torch(twin, data, size=64):
    total = 0.0
    with torch.no_grad():
        for start in range(0, len(data[0]), size):
            x, y = (torch.from_numpy(array[start : start + size].astype(np.int64)) for array in data)
            total += functional.cross_entropy(twin(x).flatten(0, 1), y.flatten(), reduction="sum").item()
    return total / data[1].size


def main():
    parser = argparse.ArgumentParser(description="gpt.toml in modnet and in torch.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--windows", type=int, help="train on the first so many windows only")
    arguments = parser.parse_args()
    train, validation = (
        tuple(file[name][: arguments.windows] for name in ("x", "y"))
        for file in map(np.load, ("train.npz", "validation.npz"))
    )
    for seed in arguments.seeds:
        network = modnet.build("gpt.toml", seed=seed)
        training, twin = network.card.training, Twin(network)
        ours = train_modnet(network, train, seed, arguments.epochs, training.batch_size)
        loss = modnet.evaluate(network, *validation)["loss"]
        theirs = train_torch(twin, training, train, seed, arguments.epochs, training.batch_size)
        other = loss_of_torch(twin, validation)
        difference = (loss - other) / other
        print(
            f"seed {seed}: validation loss {loss:.4f} (modnet) and {other:.4f} (torch), {difference:+.2%}; "
            f"{ours:.0f} s and {theirs:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
