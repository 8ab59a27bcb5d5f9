"""Files that all workers see: those of a folder that they share with the client, or copies, one for each machine."""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from distributed import WorkerPlugin, get_worker

from modnet.model.atomic import replace_file
from modnet.plugins.schedulers import digest_of
from modnet.records import Record

FOLDER = "modnet-files"
"""The folder of the copies, next to the folders of the workers of a machine, so that all of them map the same file."""


class SharedFile(Record):
    """A file as a worker sees it; called by a worker, its path there.

    Attributes:
        path: where the client has it.
        digest: its SHA-256.
    """

    path: Path
    digest: str

    def __call__(self) -> Path:
        """The path of the file itself if the worker sees it, else of the copy.

        Raises:
            OSError: neither exists, or the file differs.
        """
        if sees(self.path, self.digest):
            return self.path
        copy = copy_of(self, get_worker())
        if sees(copy, self.digest):
            return copy
        raise OSError(f"{get_worker().address} does not see {self.path}, or sees another file of that name")


_SEEN: dict[Path, tuple[tuple[int, int, int], str]] = {}
"""The files whose digest this process has computed, as they were then."""


def sees(path: Path, digest: str) -> bool:
    """Whether this process sees a file with this digest, which is computed once as long as the file does not change."""
    try:
        status = path.stat()
        state = (status.st_ino, status.st_size, status.st_mtime_ns)
        known = _SEEN.get(path)
        if known is None or known[0] != state:
            known = _SEEN[path] = (state, digest_of(path))
    except OSError:
        return False
    return known[1] == digest


def copy_of(file: SharedFile, worker: Any) -> Path:
    return Path(worker.local_directory).parent / FOLDER / f"{file.digest[:32]}{file.path.suffix}"


class SendFile(WorkerPlugin):
    """Gives each machine a copy of a file, also for later workers; the copy is removed with the plugin."""

    def __init__(self, file: SharedFile, content: bytes) -> None:
        self.name = f"modnet-file-{file.digest}"
        self.file, self.content = file, content

    def setup(self, worker: Any) -> None:
        """Writes the copy, unless another worker of the machine has."""
        path = copy_of(self.file, worker)
        if sees(self.file.path, self.file.digest) or sees(path, self.file.digest):
            return
        if sha256(self.content).hexdigest() != self.file.digest:
            raise OSError(f"{self.file.path} has changed since it was sent, or was damaged on its way")
        path.parent.mkdir(mode=0o700, exist_ok=True)
        replace_file(path, [self.content], durable=False)

    def teardown(self, worker: Any) -> None:
        """Removes the copy. Who has mapped it keeps it."""
        path = copy_of(self.file, worker)
        path.unlink(missing_ok=True)
        with suppress(OSError):
            os.rmdir(path.parent)
