"""The photograph as the networks see it, and the errors on the held-out pixels; draws fourier.png.

python draw.py
"""

import csv
import gzip
from pathlib import Path

import matplotlib
import numpy as np

import modnet

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from fourier import FourierFeatures

folder = Path(__file__).parent
modnet.default_registry().register(FourierFeatures)

with gzip.open(folder / "pixels.csv.gz", "rt") as file:
    rows = list(csv.DictReader(file))
size = int(len(rows) ** 0.5)
photo = np.array([[float(row[colour]) for colour in ("red", "green", "blue")] for row in rows]).reshape(size, size, 3)
places = np.array([[float(row["x"]), float(row["y"])] for row in rows])
held_out = np.array([row["part"] == "test" for row in rows]).reshape(size, size)


def bilinear(known):
    """The pixels between the known ones of every second line: means of two, then of two again."""
    for axis in (0, 1):
        following = np.concatenate([np.delete(known, 0, axis), np.take(known, [-1], axis)], axis)
        known = np.stack([known, (known + following) / 2], axis + 1).reshape(
            [2 * length if at == axis else length for at, length in enumerate(known.shape)]
        )
    return known


def seen_by(name):
    return modnet.load(folder / name).forward(places).reshape(photo.shape)


known = photo[::2, ::2]
pictures = {
    "nearest known pixel": known.repeat(2, axis=0).repeat(2, axis=1),
    "network without": seen_by("plain.modnet"),
    "with Fourier features": seen_by("fourier.modnet"),
    "bilinear interpolation": bilinear(known),
}
titles = {"the photograph": photo}
for name, picture in pictures.items():
    error = np.sqrt(np.mean((picture.clip(0, 255) - photo)[held_out] ** 2))
    print(f"{name:23}  root mean squared error {error:5.2f}  {20 * np.log10(255 / error):.1f} dB")
    titles[f"{name}\n{error:.1f}"] = picture

plt.style.use(folder.parent / "gallery.mplstyle")
figure, axes = plt.subplots(1, 4, figsize=(7.4, 2.4))
for place, (title, picture) in zip(axes, list(titles.items())[:4], strict=True):
    place.imshow(picture.clip(0, 255).astype(np.uint8))
    place.set_title(title, fontsize=9)
    place.set_axis_off()
figure.savefig(folder / "fourier.png", dpi=75, metadata={"Software": None})
