"""Draws the pictures of the tutorials: `python docs/tutorials/pictures.py`.

They need the plugins of the tutorials and matplotlib; that of the service is taken from a browser like Chromium.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "examples"))

from browser import Browser, find  # noqa: E402

PIXEL = 6
GAP = 14


def digits() -> str:
    """The first of each digit, dark on light as they are stored."""
    with np.load(ROOT / "examples" / "digits" / "digits.npz") as arrays:
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


def confusion(folder: Path) -> str:
    """What `modnet plot confusion` draws in the tutorial of images, whose files and scripts are taken from its page."""
    page = (FOLDER / "images.md").read_text(encoding="utf-8")
    (spec,) = re.findall(r"^<!-- file: shift.toml -->\n```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    prepare = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[0]
    (folder / "examples").symlink_to(ROOT / "examples")
    writing = folder / "writing"
    writing.mkdir()
    (writing / "shift.toml").write_text(spec, encoding="utf-8")
    drawn = ["-m", "modnet", "plot", "confusion", "shift.modnet", "test", "-o", "confusion.svg"]
    for arguments in (["-c", prepare], ["-m", "modnet", "train", "shift.toml"], drawn):
        subprocess.run([sys.executable, *arguments], cwd=writing, check=True, stdout=subprocess.DEVNULL)
    return (writing / "confusion.svg").read_text(encoding="utf-8")


def service(folder: Path) -> bytes:
    """The page on which a model of `modnet serve` is tried, with an answer."""
    modnet = [sys.executable, "-m", "modnet"]
    shutil.copy(ROOT / "examples" / "penguins" / "penguins.csv", folder)
    for command in ("new-spec penguins.csv --target species --effort quick -o penguins.toml", "train penguins.toml"):
        subprocess.run([*modnet, *command.split()], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    command = [*modnet, "serve", "penguins.modnet", "--port", "0"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = next(line.split()[2].rstrip(":") for line in server.stdout if line.startswith("listening at"))
            return page(address, folder)
        finally:
            server.terminate()


def page(address: str, folder: Path) -> bytes:
    with Browser(find(), folder / "profile") as window:
        window.send("Emulation.setDeviceMetricsOverride", width=620, height=840, deviceScaleFactor=1, mobile=False)
        window.open(address, "document.querySelector('#fields input') !== null")
        window.evaluate("document.querySelector('#row').requestSubmit()")
        while window.evaluate("document.querySelector('#answer').hidden"):
            time.sleep(0.05)
        window.evaluate("scrollTo(0, 0)")
        return window.picture()


if __name__ == "__main__":
    (FOLDER / "digits.svg").write_text(digits(), encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        (FOLDER / "confusion.svg").write_text(confusion(Path(folder)), encoding="utf-8")
        (FOLDER / "service.png").write_bytes(service(Path(folder)))
