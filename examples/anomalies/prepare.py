"""Makes train.npz, validation.npz and test.npz from the digits of ../digits: a 3 is normal, every other digit is not.

In train.npz and validation.npz are threes alone, each its own target; test.npz has the other threes and all other
digits, and says in `digit` what each is.
"""

from pathlib import Path

import numpy as np

NORMAL = 3
TRAIN, VALIDATION = 100, 40

folder = Path(__file__).parent
with np.load(folder.parent / "digits" / "digits.npz") as digits:
    x, labels = (digits["x"] / 16).astype(np.float32), digits["y"]
normal = np.flatnonzero(labels == NORMAL)
train, validation = normal[:TRAIN], normal[TRAIN : TRAIN + VALIDATION]
test = np.setdiff1d(np.arange(len(x)), np.concatenate([train, validation]))
for name, rows in {"train": train, "validation": validation, "test": test}.items():
    np.savez_compressed(folder / f"{name}.npz", x=x[rows], y=x[rows], digit=labels[rows])
    others = int((labels[rows] != NORMAL).sum())
    print(f"{name + '.npz':14}  {len(rows) - others:,} threes, {others:,} other digits")
