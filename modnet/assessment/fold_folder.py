"""Finished folds of a cross-validation in a folder: a model file for each, and a file that says what they are of."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.data.column import Column
from modnet.data.named_arrays import NamedArrays
from modnet.data.table import Table
from modnet.engine.network import Network
from modnet.errors import ModelFileError, TrainingError
from modnet.model.atomic import replace_file
from modnet.model.load import load
from modnet.model.save import save
from modnet.plugins.registry import Registry
from modnet.words import changes, itemised

ABOUT = "cross-validation.json"
"""The file that says what the folds are of."""

MOST_BYTES = 1 << 26
"""A memory-mapped array of more bytes is told apart by some of its rows."""


class FoldFolder:
    """The folder of a cross-validation.

    Attributes:
        path: of the folder.
    """

    def __init__(self, path: Path, registry: Registry) -> None:
        self.path = path
        self._registry = registry

    def begin(self, about: Mapping[str, Any]) -> None:
        """Makes the folder, or checks that the folds in it are of the same cross-validation.

        Args:
            about: what the folds depend on, as plain values.

        Raises:
            TrainingError: they are of another one; the message lists the differences. Or the folder has other files.
            OSError: it cannot be made, or written to.
        """
        text = json.dumps(about, indent=1)
        file = self.path / ABOUT
        if file.exists() and any(self.path.glob("*.modnet")):
            self._compare(file, json.loads(text))
            return
        if self.path.is_dir() and any(found != file for found in self.path.iterdir()):
            raise TrainingError(f"{self.path} has files, but no folds of a cross-validation; choose another folder")
        self.path.mkdir(exist_ok=True)
        replace_file(file, [text.encode()], durable=False)

    def _compare(self, file: Path, about: Mapping[str, Any]) -> None:
        try:
            before = json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            before = None
        if not isinstance(before, dict):
            raise TrainingError(f"{file} is damaged; remove {self.path} to start again")
        found = [line for key in dict.fromkeys((*before, *about)) for line in _changes(key, before, about)]
        if found:
            lines = "\n".join(itemised(found, "  "))
            raise TrainingError(
                f"{self.path} has folds of another cross-validation:\n{lines}\n"
                "  change that back to go on, or remove that folder, or name another, to start again"
            )

    def file(self, repeat: int, fold: int) -> Path:
        """The model file of a fold; both are counted from 1."""
        return self.path / (f"fold-{fold}.modnet" if repeat == 1 else f"repeat-{repeat}-fold-{fold}.modnet")

    def load(self, repeat: int, fold: int) -> Network | None:
        """The network of a fold; None if it is not finished, or its file is damaged, which is a warning."""
        file = self.file(repeat, fold)
        if not file.exists():
            return None
        try:
            return load(file, registry=self._registry)
        except ModelFileError as error:
            warnings.warn(f"{error}; this fold is trained again", stacklevel=2)
            return None

    def save(self, network: Network, repeat: int, fold: int) -> None:
        """Writes the model file of a fold.

        Raises:
            ModelFileError, OSError: as `modnet.save`.
        """
        # A plugin file that is not installed is worth a warning where a model is to be kept, and once.
        with warnings.catch_warnings(action="ignore", category=UserWarning):
            save(network, self.file(repeat, fold), registry=self._registry)

    def remove_unused(self) -> None:
        """Removes the folder if no fold is in it."""
        if not any(self.path.glob("*.modnet")):
            self.remove(())

    def remove(self, folds: Iterable[tuple[int, int]]) -> None:
        """Removes the folds, and the folder if nothing else is in it."""
        for file in (*(self.file(repeat, fold) for repeat, fold in folds), self.path / ABOUT):
            with suppress(OSError):
                file.unlink()
        with suppress(OSError):  # it has other files in it
            self.path.rmdir()


def _changes(key: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    if key == "rows":
        return ["the rows of the data are others"] if before.get(key) != now.get(key) else []
    # The spec's own paths, without "spec" before them.
    was, is_now = before.get(key), now.get(key)
    if key == "spec" and isinstance(was, dict) and isinstance(is_now, dict):
        return [
            line for part in dict.fromkeys((*was, *is_now)) for line in changes(part, was.get(part), is_now.get(part))
        ]
    return list(changes(key, was, is_now))


def fingerprint(source: Table | NamedArrays) -> str:
    """A digest of all values; of large arrays in mapped files, of some rows."""
    digest = sha256()
    if isinstance(source, NamedArrays):
        for name, array in source.arrays.items():
            digest.update(f"{name} {array.dtype} {array.shape}".encode())
            digest.update(_bytes(array))
    else:
        for name, column in source.columns.items():
            digest.update(f"{name} {column.type} {len(column)}".encode())
            _add_column(digest, column)
    return digest.hexdigest()


def _add_column(digest: Any, column: Column) -> None:
    known = ~column.gaps
    digest.update(_bytes(known))
    digest.update(_bytes(column.values[known]))
    for text in column.texts or ():
        digest.update(f"{text}\0".encode(errors="surrogatepass"))


def _bytes(array: Array) -> Any:
    sample = array
    if isinstance(array, np.memmap) and array.nbytes > MOST_BYTES:
        sample = array[:: -(-array.nbytes // MOST_BYTES)]
    return np.ascontiguousarray(sample).view(np.uint8).reshape(-1).data
