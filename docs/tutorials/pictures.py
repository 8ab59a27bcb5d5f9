"""Draws the pictures of the tutorials: `python docs/tutorials/pictures.py`."""

from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent
DIGITS = FOLDER.parents[1] / "examples" / "digits" / "digits.npz"
PIXEL = 6
GAP = 14


def digits() -> str:
    """The first of each digit, dark on light as they are stored."""
    with np.load(DIGITS) as arrays:
        ink, labels = arrays["x"].reshape(-1, 8, 8), arrays["y"]
    side = 8 * PIXEL
    width, height = 10 * (side + GAP) + GAP, side + 2 * GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f'<rect width="{width}" height="{height}" rx="6" fill="#fff"/>',
    ]
    for digit in range(10):
        left = GAP + digit * (side + GAP)
        image = ink[np.argmax(labels == digit)]
        for level in range(1, 17):
            rows, columns = np.nonzero(image == level)
            dots = "".join(
                f"M{left + column * PIXEL} {GAP + row * PIXEL}h{PIXEL}v{PIXEL}h-{PIXEL}z"
                for row, column in zip(rows, columns, strict=True)
            )
            if dots:
                grey = 255 - round(level * 255 / 16)
                parts.append(f'<path fill="#{grey:02x}{grey:02x}{grey:02x}" d="{dots}"/>')
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    (FOLDER / "digits.svg").write_text(digits(), encoding="utf-8")
