"""Files of named arrays, beside the formats that people use for them: saving and loading, by size and number."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rounds import Case, Contestant, Play, Settings, Turn

Arrays = Mapping[str, Any]

SIZES = {
    "file-many": (10_000, (10, 10)),
    "file-100mb": (20, (1250, 1000)),
    "file-2gb": (4, (128, 1024, 1024)),
}
"""Case -> how many arrays, and the shape of each; all are float32."""


@dataclass(frozen=True)
class Format:
    """A way to keep arrays by name in a file.

    Attributes:
        suffix: of its files.
        save: path, one flat array, the arrays that are views of it.
        load: path -> the arrays.
        needs: the modules without which it is skipped.
    """

    suffix: str
    save: Callable[[Path, Any, Arrays], None]
    load: Callable[[Path], Arrays]
    needs: tuple[str, ...] = ()


def save_modnet(path: Path, flat: Any, arrays: Arrays, durable: bool = True) -> None:
    from modnet.model.writer import Group, write

    places, start = [], 0
    for name, array in arrays.items():
        places.append((name, start, array.shape))
        start += array.size
    write(path, {}, [Group("parameters", flat, places)], durable=durable)


def load_modnet(path: Path, verify: bool = True, mmap: bool = False) -> Arrays:
    from modnet.model.reader import read

    return read(path, verify=verify, mmap=mmap).groups["parameters"].views


def save_safetensors(path: Path, flat: Any, arrays: Arrays) -> None:
    from safetensors.numpy import save_file

    save_file(dict(arrays), path)


def load_safetensors(path: Path) -> Arrays:
    from safetensors.numpy import load_file

    loaded: Arrays = load_file(path)
    return loaded


def save_npz(path: Path, flat: Any, arrays: Arrays) -> None:
    np.savez(path, **arrays)


def load_npz(path: Path) -> Arrays:
    with np.load(path) as file:
        return dict(file)


def save_pickle(path: Path, flat: Any, arrays: Arrays) -> None:
    with path.open("wb") as file:
        pickle.dump(arrays, file, protocol=5)


def load_pickle(path: Path) -> Arrays:
    with path.open("rb") as file:
        loaded: Arrays = pickle.load(file)
    return loaded


PEERS = {
    "safetensors": Format(".safetensors", save_safetensors, load_safetensors, ("safetensors",)),
    "numpy .npz": Format(".npz", save_npz, load_npz),
    "pickle 5": Format(".pickle", save_pickle, load_pickle),
}
SAVING = {
    "modnet": Format(".modnet", save_modnet, load_modnet),
    "modnet, not durable": Format(".modnet", partial(save_modnet, durable=False), load_modnet),
    **PEERS,
}
LOADING = {
    "modnet": Format(".modnet", save_modnet, load_modnet),
    "modnet, not verified": Format(".modnet", save_modnet, partial(load_modnet, verify=False)),
    "modnet, mapped": Format(".modnet", save_modnet, partial(load_modnet, verify=False, mmap=True)),
    "modnet, mapped and verified": Format(".modnet", save_modnet, partial(load_modnet, mmap=True)),
    **PEERS,
}


def cases(settings: Settings) -> list[Case]:
    made = []
    for case, (count, shape) in SIZES.items():
        if settings.quick:
            if case == "file-2gb":
                continue
            shape = (10, 10)
        for unit, ways, prepare in (("save", SAVING, saving), ("load", LOADING, loading)):
            contestants = [
                Contestant(f"{unit}: {name}", partial(prepare, settings.folder / case, name, count, shape), way.needs)
                for name, way in ways.items()
            ]
            made.append(Case(case, unit, contestants))
    return made


def made_arrays(count: int, shape: tuple[int, ...]) -> tuple[Any, Arrays]:
    """One flat array, and its parts by name; each is filled with its number."""
    flat = np.empty((count, *shape), np.float32)
    for number, array in enumerate(flat):
        array.fill(number)
    return flat.reshape(-1), {f"node_{number}.weight": array for number, array in enumerate(flat)}


def saving(path: Path, name: str, count: int, shape: tuple[int, ...]) -> Play:
    """A new file each time, while nothing else is being written back. It stays in the system's cache."""
    way = SAVING[name]

    def play(seed: int) -> Turn:
        flat, arrays = made_arrays(count, shape)  # now, so that contestants do not hold memory out of their turn
        target = path.with_name(f"{path.name}-saved{way.suffix}")
        if hasattr(os, "sync"):
            os.sync()
        start = time.perf_counter()
        way.save(target, flat, arrays)
        seconds = time.perf_counter() - start
        target.unlink()
        return Turn(seconds)

    return play


def loading(path: Path, name: str, count: int, shape: tuple[int, ...]) -> Play:
    """From a file that the system has in its cache; the arrays are compared with what was saved, which is not timed."""
    way = LOADING[name]
    path = path.with_suffix(way.suffix)
    if not path.exists():
        way.save(path, *made_arrays(count, shape))

    def play(seed: int) -> Turn:
        start = time.perf_counter()
        arrays = way.load(path)
        seconds = time.perf_counter() - start
        last = arrays[f"node_{count - 1}.weight"]
        if len(arrays) != count or last.shape != shape or last.flat[-1] != count - 1:
            raise AssertionError(f"{name} does not give back what was saved")
        return Turn(seconds)

    return play
