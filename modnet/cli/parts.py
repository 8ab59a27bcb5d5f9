"""Tables in parts: the files of a folder or of a pattern, and the folder with the predictions for each of them."""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from modnet.cli.forms import TEXTS, UNFINISHED
from modnet.data.path_columns import PathValue, path_columns
from modnet.data.table import shorten
from modnet.data.unknown import READ_BY_PLUGIN
from modnet.errors import DataError, ModnetError
from modnet.model.atomic import remove_leftovers
from modnet.records import Record
from modnet.training.checkpoint import lock_folder
from modnet.words import counted, did_you_mean

JOURNAL = "_modnet.jsonl"
"""What has been done in a folder of predictions: a line for how they are made, and one for each part. Readers of tables
in parts pass over names that begin so.
"""

ENDINGS = (*TEXTS, *(f"{ending}.gz" for ending in TEXTS), *READ_BY_PLUGIN["parquet"])
"""The endings of the files of a folder that are parts of a table. A pattern may name others."""


class Part(Record):
    """A part of a table.

    Attributes:
        name: its path from the folder of the table on, by which messages call it.
        source: its file.
        target: the file with the predictions for it.
        constants: the columns that stand in its path.
    """

    name: str
    source: Path
    target: Path
    constants: Mapping[str, PathValue]


def parts_of(data: str, out: Path) -> list[Part]:
    """The parts of a table, by their names.

    Args:
        data: a folder, all of whose tables count, at any depth; a pattern, `in/*.parquet`, `in/**/*.csv`; or a file.
        out: the folder for the predictions, which gets the same folders within.

    Raises:
        DataError: there are none; or the folder for the predictions is that of the table, or lies in it.
    """
    path, out = Path(os.path.abspath(os.path.expanduser(data))), Path(os.path.abspath(out))
    root, found = _found(path)
    if out.is_relative_to(path) or out == root:
        raise DataError(f"{out}: this is the folder of the table, or inside it; choose another one with -o")
    names = [file.relative_to(root) for file in found if file.is_file() and not file.is_relative_to(out)]
    names = sorted(name for name in names if not _is_hidden(name))
    if not names:
        raise DataError(f"{data}: {_nothing_in(path)}")
    return [Part(name.as_posix(), root / name, out / name, path_columns(name)) for name in names]


def _is_hidden(name: Path) -> bool:
    return any(part.startswith((".", "_")) for part in name.parts)


def _found(path: Path) -> tuple[Path, list[Path]]:
    """The folder of a table, and what may be its parts."""
    if path.is_dir():
        return path, [file for file in path.rglob("*") if file.name.lower().endswith(ENDINGS)]
    if path.exists():
        return path.parent, [path]
    return _root_of(path), [Path(name) for name in glob.glob(str(path), recursive=True)]


def _root_of(pattern: Path) -> Path:
    """The folder before the first sign of a pattern."""
    place = next((place for place, part in enumerate(pattern.parts) if glob.has_magic(part)), -1)
    return Path(*pattern.parts[:place])


def _nothing_in(path: Path) -> str:
    if path.is_dir():
        others = sorted({file.suffix for file in path.rglob("*.*") if file.is_file()})
        there = f"; found files that end in {shorten(others)}: name them by a pattern" if others else ""
        return f"expected a folder with files that end in {', '.join(ENDINGS)}{there}"
    if glob.has_magic(str(path)):
        root = _root_of(path)
        return "no file matches this pattern" if root.is_dir() else f"there is no folder {root}"
    near = did_you_mean(path.name, os.listdir(path.parent)) if path.parent.is_dir() else ""
    return f"no such file or folder{near}"


class Predicting:
    """A folder that gets the predictions for the parts of a table, and knows which parts are done.

    Nobody else may write to it until it is closed.

    Attributes:
        done: part -> what the journal says of it.
    """

    def __init__(self, out: Path, described: Mapping[str, Any], resume: bool) -> None:
        """
        Args:
            described: how the predictions are made, in JSON's values: what has to be the same to go on.
            resume: whether an earlier run goes on.

        Raises:
            ModnetError: there are other files in the folder, predictions are there already, or those that are there
                were made in another way; or another process is writing there.
        """
        self.out, self.journal = out, out / JOURNAL
        self.done: dict[str, dict[str, Any]] = {}
        self._described = json.loads(json.dumps(described))
        if not out.parent.is_dir():
            raise ModnetError(f"{out}: there is no folder {out.parent}; create it, or choose another one with -o")
        out.mkdir(exist_ok=True)
        self._lock = lock_folder(out, f"another process is writing predictions to {out}; wait until it has finished")
        try:
            self._begin(resume)
        except BaseException:
            self.close()
            raise

    def _begin(self, resume: bool) -> None:
        lines = self._lines()
        if len(lines) < 2:
            if not lines and any(self.out.iterdir()):
                raise ModnetError(f"{self.out}: there are other files in this folder; choose a new one with -o")
            return
        if not resume:
            has = f"{self.out} already has predictions, for {counted(len(lines) - 1, 'part')}"
            raise ModnetError(f"{has}; go on with --resume, or choose another -o")
        before = lines[0]
        differing = [name for name, value in self._described.items() if before.get(name) != value]
        if differing:
            raise ModnetError(
                f"{self.out} has predictions that were made in another way, with another {', '.join(differing)}; "
                "give the same, or choose another -o"
            )
        self.done = {entry["part"]: entry for entry in lines[1:]}

    def _lines(self) -> list[dict[str, Any]]:
        """The lines of the journal; half a line at its end, of a process that was killed, is cut off."""
        if not self.journal.exists():
            return []
        text = self.journal.read_bytes()
        whole = text.rfind(b"\n") + 1
        if whole < len(text):
            os.truncate(self.journal, whole)
        try:
            return [json.loads(line) for line in text[:whole].splitlines()]
        except ValueError:
            raise ModnetError(f"{self.journal} is damaged; choose another -o") from None

    def is_done(self, part: Part) -> bool:
        """Whether there are predictions for a part as it is now."""
        entry = self.done.get(part.name)
        return entry is not None and entry["source"] == _state(part.source) and entry["target"] == _state(part.target)

    def prepare(self, parts: Sequence[Part]) -> None:
        """Makes the folders of parts, and removes what workers have left there that were killed."""
        if not self.done:
            self.journal.write_text(json.dumps(self._described) + "\n", encoding="utf-8")
        for folder in {part.target.parent for part in parts}:
            folder.mkdir(parents=True, exist_ok=True)
        self.tidy(parts)

    def add(self, part: Part, rows: int, bad_rows: int) -> None:
        """Notes that a part is done."""
        entry = {
            "part": part.name,
            "rows": rows,
            "bad_rows": bad_rows,
            "source": _state(part.source),
            "target": _state(part.target),
        }
        self.done[part.name] = entry
        with self.journal.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def tidy(self, parts: Sequence[Part]) -> None:
        """Removes what workers that were killed have left beside the predictions for parts."""
        for folder in {part.target.parent for part in parts}:
            remove_leftovers(folder, ".*")
            for path in folder.glob(f"{UNFINISHED}*"):
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Lets others write to the folder; removes it if nothing was begun."""
        if self._lock is not None:
            os.close(self._lock)
        with suppress(OSError):
            self.out.rmdir()


def _state(path: Path) -> list[int] | None:
    """By what it is seen that a file has changed; None if it is not there."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return [found.st_size, found.st_mtime_ns]
