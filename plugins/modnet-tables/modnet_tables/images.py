"""Images in a folder for each class, or a single one, by Pillow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image, ImageOps

import modnet
from modnet.data.named_arrays import NamedArrays
from modnet.data.options import ReadOptions
from modnet.words import counted, listed, show

Found = TypeVar("Found")

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
MOST_PIXELS = 100_000_000
"""Of one image: more are a mistake, or meant to do harm."""

GREY = ("1", "L", "LA", "I;16", "I", "F")


def read(path: Path, options: ReadOptions) -> NamedArrays:
    """The images of a folder: `x`, uint8 (images, height, width, channels), and `y`, the names of their folders.

    Of a single image, or of a folder without folders in it, there is no `y`. `file` has the path of each image within
    the folder. One channel if all images are grey, else three; what is transparent is white. Images are turned as
    their cameras say.

    Args:
        options: `size` is the (height, width) to which images are scaled; without it, all have to have the same.
            `channels` 1 makes all images grey, 3 gives all of them colour.

    Raises:
        DataError: an image cannot be read, or has another size than the first.
    """
    files, classes = _files(path) if path.is_dir() else ([path], [])
    sizes = _sizes(files)
    if options.size is None and len(sizes) > 1:
        raise _unlike(sizes)
    opened = list(_each(files, lambda file: _opened(file, options.size)))
    grey = options.channels == 1 or (options.channels is None and all(image.mode == "L" for image in opened))
    x = np.stack([np.asarray(image.convert("L" if grey else "RGB")) for image in opened])
    arrays: dict[str, Any] = {"x": x[..., None] if grey else x}
    notes = [f"{counted(len(files), 'image')} of {x.shape[1]} x {x.shape[2]}, {'grey' if grey else 'in colour'}"]
    arrays["file"] = np.array([file.relative_to(path if path.is_dir() else path.parent).as_posix() for file in files])
    if classes:
        arrays["y"] = np.array(classes)
        counts = Counter(classes)
        notes[0] += f": {listed([f'{name} {counts[name]:,}' for name in sorted(counts)], 12)}"
    if set(sizes) - {x.shape[1:3]}:
        notes.append(f"images of {counted(len(sizes), 'size')} were scaled to {x.shape[1]} x {x.shape[2]}")
    return NamedArrays(str(path), arrays, tuple(notes))


def _files(folder: Path) -> tuple[list[Path], list[str]]:
    """The images, and the class of each; no classes if the images are in the folder itself."""
    here = _images_in(folder.iterdir())
    below = {part.name: _images_in(part.rglob("*")) for part in sorted(folder.iterdir()) if _is_class(part)}
    below = {name: files for name, files in below.items() if files}
    if here and below:
        raise modnet.DataError(
            f"{folder}: found {counted(len(here), 'image')} beside the folders {listed(sorted(below), 4)}; expected a "
            "folder for each class, or images alone"
        )
    if below:
        pairs = [(file, name) for name, files in below.items() for file in files]
        return [file for file, _ in pairs], [name for _, name in pairs]
    return here, []


def _is_class(part: Path) -> bool:
    return part.is_dir() and not part.name.startswith((".", "__"))


def _images_in(files: Iterable[Path]) -> list[Path]:
    return sorted(file for file in files if file.name.lower().endswith(ENDINGS) and not file.name.startswith("."))


def _sizes(files: Sequence[Path]) -> dict[tuple[int, int], Path]:
    """(height, width) -> the first image that has it."""
    sizes: dict[tuple[int, int], Path] = {}
    for file, size in zip(files, _each(files, _size), strict=True):
        sizes.setdefault(size, file)
    return sizes


def _each(files: Sequence[Path], function: Callable[[Path], Found]) -> list[Found]:
    """What the function gives for each file.

    Raises:
        DataError: some cannot be read; it names all of them, as far as anyone reads.
    """
    found, faults = [], []
    for file in files:
        try:
            found.append(function(file))
        except modnet.DataError as error:
            faults.append((file, error))
    if len(faults) > 1:
        others = listed([str(file) for file, _ in faults[1:]], 20)
        raise modnet.DataError(f"{faults[0][1]}; {counted(len(faults) - 1, 'other image')} likewise: {others}")
    if faults:
        raise faults[0][1]
    return found


def _unlike(sizes: Mapping[tuple[int, int], Path]) -> modnet.DataError:
    (first, one), (second, other) = list(sizes.items())[:2]
    return modnet.DataError(
        f"{other}: {second[0]} x {second[1]} (height x width), but {one} is {first[0]} x {first[1]}"
        f"{f', and there are {len(sizes) - 2:,} more sizes' if len(sizes) > 2 else ''}; set data.size, as in "
        f"size = [{first[0]}, {first[1]}], to scale all of them"
    )


def _size(file: Path) -> tuple[int, int]:
    """Height and width, as the image will be turned; reads nothing else of it."""
    try:
        with Image.open(file) as image:
            turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
            return image.size if turned else (image.height, image.width)
    except Exception as error:  # Pillow's decoders raise nearly anything
        raise _unreadable(file, error) from error


def _opened(file: Path, size: tuple[int, int] | None) -> Image.Image:
    try:
        with Image.open(file) as image:
            if image.width * image.height > MOST_PIXELS:
                found = f"{image.height:,} x {image.width:,} pixels"
                raise modnet.DataError(f"{file}: {found}; expected {MOST_PIXELS:,} at most")
            turned = _plain(ImageOps.exif_transpose(image))
    except modnet.ModnetError:
        raise
    except Exception as error:  # as above
        raise _unreadable(file, error) from error
    return turned if size is None else turned.resize((size[1], size[0]), Image.Resampling.BILINEAR)


def _plain(image: Image.Image) -> Image.Image:
    """In grey or colour, 8 bits, with white for transparent parts."""
    if image.mode in ("I;16", "I", "F"):
        return Image.fromarray(_eight_bits(np.asarray(image)))
    grey = image.mode in GREY
    if image.mode in ("LA", "RGBA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("L" if grey else "RGB")


def _eight_bits(pixels: Any) -> Any:
    """Grey of more than 8 bits: of 16, unless all of it fits into 8."""
    highest = float(pixels.max(initial=0))
    scale = 1.0 if highest <= 255 else 257.0 if highest <= 65535 else highest / 255
    return np.clip(pixels / scale, 0, 255).astype(np.uint8)


def _unreadable(file: Path, error: Exception) -> modnet.DataError:
    return modnet.DataError(f"{file}: not an image, or a damaged one: {show(str(error)[:100])}")
