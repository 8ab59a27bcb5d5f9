"""Saves what was learned in spite of Ctrl-C, a full disk, or a folder that no longer exists."""

from __future__ import annotations

import os
import signal
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from modnet.cli.failures import INTERRUPTED, warn
from modnet.engine.network import Network
from modnet.model.save import save
from modnet.training.checkpoint import newest_last


class Interrupts:
    """Ctrl-C while what was learnt is being written: the first one waits, a further one ends the command.

    Attributes:
        status: the exit status that it asks for.
        waits: whether the first one waits; else it ends what is being done, which is not needed for the model.
    """

    def __init__(self, status: int) -> None:
        self.stopped = bool(status)
        self.status = 0
        self.waits = True

    def __call__(self, *_: object) -> None:
        again = self.stopped or bool(self.status)
        self.status = INTERRUPTED
        if again or not self.waits:
            raise KeyboardInterrupt


@contextmanager
def saving(status: int) -> Iterator[Interrupts]:
    """Keeps the first Ctrl-C from ending what is being written; a `status` says that there has been one already."""
    interrupts = Interrupts(status)
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:  # it is ignored, or the program's own
        yield interrupts
        return
    signal.signal(signal.SIGINT, interrupts)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)


def save_somewhere(network: Network, path: Path, checkpoints: Path | None) -> Path:
    """Writes the model file; where that fails in the end, to another folder.

    Args:
        checkpoints: the run's own.

    Raises:
        Exception: why it could not be written, if another folder would not help.
    """
    # `save` warns of plugins that are not installed. Here they came by --plugin, which the last line names.
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        try:
            save(network, path)
            return path
        except Exception as error:  # of the system, of a plugin that writes another format, or of memory
            reason = (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)
            reason = reason or type(error).__name__
            for folder in dict.fromkeys(_refuges()):
                refuge = None
                try:
                    refuge = Path(tempfile.mkdtemp(prefix="modnet-", dir=folder))
                    file = refuge / f"{path.stem}.modnet"
                    save(network, file)
                except Exception:
                    if refuge is not None:
                        with suppress(OSError):
                            refuge.rmdir()
                    continue
                warn(f"{path}: {reason}; {untouched(path)}, and the model is in {file}")
                return file
            warn(f"the model could not be written anywhere{_left(checkpoints)}")
            raise


def _refuges() -> Iterator[str]:
    """Folders that may take a model which its own folder does not."""
    with suppress(OSError):  # none of the folders for temporary files takes one
        yield tempfile.gettempdir()
    yield "/var/tmp"
    with suppress(OSError):  # the current folder is gone
        yield os.getcwd()
    yield os.path.expanduser("~")


def _left(checkpoints: Path | None) -> str:
    found = newest_last(checkpoints) if checkpoints is not None else []
    return f"; the newest checkpoint is {found[-1]}" if found else ""


def untouched(path: Path) -> str:
    """What to say of a file that nothing was written to."""
    return f"{path} is as it was" if path.exists() else f"{path} was not written"
