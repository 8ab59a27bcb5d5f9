"""Makes pixels.csv.gz of a photograph that scikit-learn ships: a row for each pixel of a piece of 128 x 128 pixels.

python prepare.py

It needs scikit-learn and Pillow. Every second pixel of every second line is for training, and all others for the test.
"""

import csv
import gzip
import io
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_image

SIZE = 128

photo = (
    Image.fromarray(load_sample_image("china.jpg"))
    .crop((0, 30, 384, 414))
    .resize((SIZE, SIZE), Image.Resampling.LANCZOS)
)
pixels = np.asarray(photo)
text = io.StringIO()
writer = csv.writer(text, lineterminator="\n")
writer.writerow(["x", "y", "red", "green", "blue", "part"])
for row, column in np.ndindex(SIZE, SIZE):
    part = "test" if row % 2 or column % 2 else "train"
    writer.writerow([column / SIZE, row / SIZE, *pixels[row, column], part])
path = Path(__file__).parent / "pixels.csv.gz"
path.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))
print(f"{path.name}: {SIZE * SIZE:,} pixels, {SIZE * SIZE // 4:,} of them for training")
