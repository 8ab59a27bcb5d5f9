"""Writes the digits of ../digits/digits.npz as image files, a folder for each class: pictures/0/0000.png ...

The last 397 images go to test/, in the same form. The digits are in the order of their writers, so these are by
people whose handwriting the training does not see.
"""

from pathlib import Path

import numpy as np
from PIL import Image

FIRST_OF_TEST = 1400

folder = Path(__file__).parent
with np.load(folder.parent / "digits" / "digits.npz") as digits:
    ink, labels = digits["x"].reshape(-1, 8, 8), digits["y"]
counts = {"pictures": 0, "test": 0}
for number, (image, label) in enumerate(zip(ink, labels, strict=True)):
    part = "test" if number >= FIRST_OF_TEST else "pictures"
    place = folder / part / str(label)
    place.mkdir(parents=True, exist_ok=True)
    pixels = 255 - np.round(image * (255 / 16)).astype(np.uint8)  # 0 to 16 of ink become white to black
    Image.fromarray(pixels).save(place / f"{number:04}.png")
    counts[part] += 1
print(", ".join(f"{part}/  {count:,} images" for part, count in counts.items()))
