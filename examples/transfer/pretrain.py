"""Trains a small convolutional network of torch on 1,000 digits, and writes its weights: pretrained.safetensors.

pip install torch safetensors
python pretrain.py [--epochs 20]
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

ROWS = 1000

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=20)
arguments = parser.parse_args()

folder = Path(__file__).parent
torch.manual_seed(0)
torch.set_num_threads(1)
with np.load(folder / "../digits/digits.npz") as digits:
    x = torch.tensor(digits["x"][:ROWS], dtype=torch.float32).reshape(-1, 1, 8, 8)
    y = torch.tensor(digits["y"][:ROWS], dtype=torch.long)
model = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1),
    nn.ReLU(),
    nn.Conv2d(8, 16, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(16, 16, 3, padding=1),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(256, 32),
    nn.ReLU(),
    nn.Dropout(0.3),
    nn.Linear(32, 10),
)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for _ in range(arguments.epochs):
    for batch in torch.randperm(len(x)).split(32):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[batch]), y[batch])
        loss.backward()
        optimizer.step()
model.eval()
accuracy = (model(x).argmax(dim=1) == y).float().mean()
save_file(model.state_dict(), folder / "pretrained.safetensors")
numbers = sum(parameter.numel() for parameter in model.parameters())
print(f"pretrained.safetensors: {numbers:,} numbers; accuracy on its {len(x):,} digits: {accuracy:.3f}")
